"""Which errors of the file system are about one file, so that work on the others can go on."""

from __future__ import annotations

import errno

# Names that are too long, or taken by a folder. On a full or broken disk nothing else would succeed either.
_ABOUT_ONE_NAME = frozenset({errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY})


def is_about_one_file(error: BaseException) -> bool:
    """Whether an error leaves hope for other files: wrong content, or a name that cannot be written to."""
    if isinstance(error, ValueError):
        return True
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None:
            return cause.errno in _ABOUT_ONE_NAME
        cause = cause.__cause__
    return False
