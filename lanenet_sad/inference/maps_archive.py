"""Attention maps on disk: an archive that grows map by map, so that memory stays flat over a long video."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from lanenet_sad.inference.interrupts import uninterrupted
from lanenet_sad.lanes.files import replacing


class MapsArchive:
    """Writes named float32 arrays to an `.npz` that `numpy.load` opens.

    A context manager. The archive appears under its name when the block ends, also after an error or Ctrl-C, with the
    maps written so far; without any map nothing is written, and a file already there stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.num_maps = 0
        self._clean_up = ExitStack()

    def __enter__(self) -> MapsArchive:
        return self

    def write(self, maps: Mapping[str, NDArray[np.float32]]) -> None:
        """Append maps, (H, W) each, by name."""
        if self.num_maps == 0:
            temporary = self._clean_up.enter_context(replacing(self.path))
            self._file = self._clean_up.enter_context(zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED))
        for name, a_map in maps.items():
            with uninterrupted(), self._file.open(f"{name}.npy", "w", force_zip64=True) as entry:  # or it cannot close
                np.lib.format.write_array(entry, np.ascontiguousarray(a_map, dtype=np.float32))
                self.num_maps += 1

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._clean_up.close()  # as after a success, whatever ended the block
