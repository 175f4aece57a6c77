"""The file that says which set a folder holds, so that it can grow and is not mixed with another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lanenet_sad.lanes.files import replacing

_MANIFEST = "synthesis.json"


def holds_same_set(root: Path, settings: dict[str, Any]) -> bool:
    """Whether the folder holds files of exactly these settings, so that they can stay.

    Raises:
        ValueError: it holds a set with other settings, or something else that is not ours.
    """
    if root.exists() and not root.is_dir():
        raise ValueError(f"Output folder {root}: expected a folder, got a file. Choose another name.")
    path = root / _MANIFEST
    if not path.exists():
        if root.exists() and any(root.iterdir()):
            raise ValueError(
                f"Output folder {root}: expected an empty folder or a synthetic set, got a folder with other files. "
                "Choose another folder, or give --overwrite to write into this one."
            )
        return False
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["settings"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: expected the settings of a synthetic set as JSON; delete it or give --overwrite."
        ) from error
    different = [name for name in settings if found.get(name) != settings[name]]
    if different:
        details = ", ".join(f"{name} {found.get(name)} (now {settings[name]})" for name in different)
        raise ValueError(
            f"Output folder {root} holds a synthetic set with other settings: {details}. "
            "Choose another folder, or give --overwrite."
        )
    return True


def write_manifest(root: Path, settings: dict[str, Any], *, finished: bool) -> None:
    """Writes the settings of a set, and whether all of it is there."""
    with replacing(root / _MANIFEST) as temporary:
        content = {"settings": settings, "finished": finished}
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
