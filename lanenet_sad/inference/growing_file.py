"""Text files that grow line by line while a video is worked through, and are never left half a line long."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from lanenet_sad.lanes.files import replacing


class GrowingFile:
    """Writes lines to a file that appears under its name when the block ends, also after an error or Ctrl-C.

    A context manager. Every line is with the operating system before the next one begins: after a kill, the file of
    the temporary name beside it has all of them, and after a full disk the file has the lines that fitted. Without
    a single line nothing is written, and a file already there stays.
    """

    def __init__(self, path: Path, header: str | None = None) -> None:
        """Prepare a file; it is opened at the start of the `with` block.

        Args:
            path: of the file.
            header: its first line, which does not count as one.
        """
        self.path = Path(path)
        self.num_lines = 0
        self._header = header
        self._length = 0
        self._clean_up = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            temporary = stack.enter_context(replacing(self.path))
            # Without a buffer there is nothing left to be written, and to fail, when the file is closed.
            self._file: FileIO = stack.enter_context(temporary.open("wb", buffering=0))
            if self._header is not None:
                self._append(self._header)
            self._clean_up = stack.pop_all()
        return self

    def write_line(self, line: str) -> None:
        """Append a line, whole or not at all.

        Raises:
            OSError: the disk is full or gone; the message names the file.
        """
        self._append(line)
        self.num_lines += 1

    def _append(self, line: str) -> None:
        # A file's name need not be Unicode; what stands for its other bytes becomes \\udc.., as JSON writes it.
        rest = memoryview(f"{line}\n".encode("utf-8", "backslashreplace"))
        end = self._length + len(rest)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except BaseException as error:
            self._file.truncate(self._length)
            self._file.seek(self._length)
            if isinstance(error, OSError):
                raise OSError(
                    f"{self.path}: cannot write line {self.num_lines + 1} ({error.strerror or error}); the lines "
                    f"before it are kept. Make room, or choose another output folder."
                ) from error
            raise
        self._length = end

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(_NothingWrittenError), self._clean_up:  # renames, whatever ended the caller's block
            if self.num_lines == 0:
                raise _NothingWrittenError


class _NothingWrittenError(Exception):
    """Ends a `replacing` block as a failure, so that it removes its temporary file."""
