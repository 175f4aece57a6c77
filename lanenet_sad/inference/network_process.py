"""The network in a Python process of its own, beside the one that reads, draws and writes.

On a CPU a network is hundreds of short calls, each of which needs Python's lock again. Threads that hold it in between,
for curves, tracks and drawing, make the network half as slow again; from another process they cannot.

Pictures and outputs go through a piece of shared memory, and only the number of a place in it through pipes. Run as a
module, this file is that process.
"""

from __future__ import annotations

import mmap
import os
import pickle
import struct
import subprocess
import sys
import tempfile
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from lanenet_sad.inference.predictor import Predictor
from lanenet_sad.models.interface import LaneNetOutput
from lanenet_sad.postprocess.decode import LaneDecoder

_NUM_PLACES = 3  # in shared memory: one with the network, one on its way to it, one on its way back
_SHARED_FOLDER = Path("/dev/shm")  # files in memory, where there is such a thing
# GNU's malloc gives back what each layer leaves, for the next one to fetch anew, page by page.
_KEEPING_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
_NUMBER = struct.Struct("<i")
_READY = -1
_PATIENCE = 5.0  # seconds


class ProcessEndedError(RuntimeError):
    """The process is gone: killed, or it could not start."""


class NetworkProcess:
    """Runs the network of a predictor elsewhere; outputs come in the order in which views were handed over.

    It starts in the background, which takes seconds, and until `is_ready` the caller goes on with its own network. It
    ends with the `with` block, and by itself when the process that it works for is gone.
    """

    def __init__(self, predictor: Predictor, *, batch_size: int = 1) -> None:
        """Nothing starts before `start`.

        Args:
            predictor: its network; outputs hold no features.
            batch_size: the most views that are handed over at a time.
        """
        self._predictor, self._batch_size = predictor, batch_size
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = threading.Event()
        self._given: deque[tuple[int, int]] = deque()  # place, how many views
        self._next = 0
        self._file: Path | None = None
        self._starter: threading.Thread | None = None

    @property
    def is_ready(self) -> bool:
        """Whether views can be handed over."""
        return self._ready.is_set()

    @property
    def num_waiting(self) -> int:
        """Batches handed over whose output has not been fetched; at most two."""
        return len(self._given)

    def start(self) -> None:
        """Start the process, once.

        Raises:
            OSError: there is no memory to share, or no process can be started.
        """
        if self._process is not None:
            return
        layout = _Layout(self._batch_size, self._predictor.view.input_size, self._predictor.network.num_lanes)
        handle, self._file = _shared_memory(layout.num_bytes)
        try:
            self._views, self._segmentation, self._existence = layout.arrays(mmap.mmap(handle, layout.num_bytes))
            # What can be imported here can be imported there; threads that wait sleep.
            folders = os.pathsep.join(filter(None, sys.path))
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lanenet_sad.inference.network_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**_KEEPING_MEMORY, **os.environ, "PYTHONPATH": folders, "OMP_WAIT_POLICY": "PASSIVE"},
                start_new_session=True,  # Ctrl-C in a terminal is for its owner alone
                pass_fds=() if self._file else (handle,),
            )
        except OSError:
            self._remove_file()
            raise
        finally:
            os.close(handle)
        shared = str(self._file) if self._file else handle
        work = _Work(shared, layout, torch.get_num_threads(), replace(self._predictor, decoder=LaneDecoder()))
        self._starter = threading.Thread(
            target=self._get_ready, args=(self._process, work), name="network-start", daemon=True
        )
        self._starter.start()

    def _get_ready(self, process: subprocess.Popen[bytes], work: _Work) -> None:
        """In a thread: a process that does not start is never ready, and the caller's own network goes on."""
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            pickle.dump(work, process.stdin)
            process.stdin.flush()
            is_ready = _read_number(process.stdout) == _READY
        except (OSError, ValueError, pickle.PicklingError, AttributeError, TypeError):
            is_ready = False  # it ended, was closed meanwhile, or the network is of a class that cannot be sent
        self._remove_file()  # both have the memory now
        if is_ready and self._process is process:
            self._ready.set()

    def submit(self, views: NDArray[np.uint8]) -> None:
        """Hand over (B, H, W, 3) views; not before it is ready, and not with two batches waiting.

        Raises:
            ProcessEndedError: the process is gone.
        """
        process = self._process
        if process is None or process.stdin is None:
            raise ProcessEndedError("The network's process is gone.")
        assert len(self._given) < _NUM_PLACES - 1
        self._views[self._next, : len(views)] = views
        try:
            process.stdin.write(_NUMBER.pack(self._next) + _NUMBER.pack(len(views)))
            process.stdin.flush()
        except (OSError, ValueError) as error:  # it ended, or was closed
            raise ProcessEndedError("The network's process is gone.") from error
        self._given.append((self._next, len(views)))
        self._next = (self._next + 1) % _NUM_PLACES

    def result(self) -> LaneNetOutput:
        """The output of the oldest batch that waits, without features.

        Raises:
            ProcessEndedError: the process is gone.
        """
        process = self._process
        if process is None or process.stdout is None or not self._given:
            raise ProcessEndedError("The network's process is gone.")
        place, count = self._given.popleft()
        if _read_number(process.stdout) != place:
            raise ProcessEndedError("The network's process is gone.")
        segmentation = torch.from_numpy(self._segmentation[place, :count].copy())
        return LaneNetOutput(segmentation, torch.from_numpy(self._existence[place, :count].copy()), ())

    def forget(self) -> None:
        """Let go of the outputs that nobody will fetch, so that the next ones are those of what comes next."""
        with suppress(ProcessEndedError):
            while self._given:
                self.result()

    def close(self) -> None:
        """End the process; outputs that were not fetched are lost."""
        process, self._process = self._process, None
        self._ready.clear()
        self._given.clear()
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.kill()  # it holds nothing that could be lost, and does not listen while it starts
        process.wait()
        if self._starter is not None:
            self._starter.join(_PATIENCE)
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError, ValueError):
                pipe.close()
        self._remove_file()

    def _remove_file(self) -> None:
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class _Layout:
    """What lies where in the shared memory."""

    def __init__(self, batch_size: int, input_size: tuple[int, int], num_lanes: int) -> None:
        self.batch_size, self.input_size, self.num_lanes = batch_size, input_size, num_lanes
        first = (_NUM_PLACES, batch_size)
        height, width = input_size
        self._shapes = ((*first, height, width, 3), (*first, num_lanes + 1, height, width), (*first, num_lanes))
        self._types: list[np.dtype[Any]] = [np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float32)]
        sizes = [int(np.prod(shape)) * kind.itemsize for shape, kind in zip(self._shapes, self._types, strict=True)]
        self._starts = [0, *np.cumsum([-(-size // 64) * 64 for size in sizes]).tolist()]
        self.num_bytes = int(self._starts[-1])

    def arrays(self, memory: mmap.mmap) -> list[NDArray[Any]]:
        """Views, segmentation logits, existence logits, each with a first axis of places."""
        return [
            np.ndarray(shape, kind, memory, start)
            for shape, kind, start in zip(self._shapes, self._types, self._starts, strict=False)
        ]


@dataclass(frozen=True)
class _Work:
    """What the process is told at its start."""

    file: int | str  # an open one, or a name
    layout: _Layout
    num_threads: int
    predictor: Predictor


def _shared_memory(num_bytes: int) -> tuple[int, Path | None]:
    """Memory that another process can have too: an open file, and its name where it must have one."""
    name = None
    try:
        handle = _no_standard_stream(os.memfd_create("lanenet-sad"))  # goes with the last process that has it
    except (AttributeError, OSError):  # not on this system, not in this container
        handle, path = tempfile.mkstemp(prefix="lanenet-sad-", dir=_SHARED_FOLDER if _SHARED_FOLDER.is_dir() else None)
        name = Path(path)
    try:
        # Room that is not there has to be missed here: later that would end the process.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(handle, 0, num_bytes)
        else:
            os.truncate(handle, num_bytes)
    except OSError:
        os.close(handle)
        if name is not None:
            name.unlink(missing_ok=True)
        raise
    return handle, name


def _no_standard_stream(handle: int) -> int:
    """An open file under a number that a process does not take for its input or output, where these are closed here."""
    import fcntl  # where there is `memfd_create` there is this

    try:
        return fcntl.fcntl(handle, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(handle)


def _read_number(pipe: IO[bytes]) -> int | None:
    """The next number; None if the other side is gone."""
    try:
        content = pipe.read(_NUMBER.size)
    except (OSError, ValueError):  # closed
        return None
    return int(_NUMBER.unpack(content)[0]) if len(content) == _NUMBER.size else None


def _serve() -> None:
    """What the process does."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not answer
    try:
        work: _Work = pickle.load(requests)
    except (EOFError, pickle.UnpicklingError):  # who it would work for was killed
        return
    torch.set_num_threads(work.num_threads)
    with open(work.file, "r+b") as file:  # noqa: PTH123 (a number has no path)
        views, segmentation, existence = work.layout.arrays(mmap.mmap(file.fileno(), work.layout.num_bytes))
    work.predictor.infer(views[0])  # the first time is slow
    place: int | None = _READY
    while place is not None:
        answers.write(_NUMBER.pack(place))
        answers.flush()
        place, count = _read_number(requests), _read_number(requests)
        if place is not None and count is not None:
            output = work.predictor.infer(views[place, :count])
            segmentation[place, :count] = output.segmentation_logits.numpy()
            existence[place, :count] = output.existence_logits.numpy()


if __name__ == "__main__":
    # Under its own name, so that what was pickled there is of the same classes here.
    from lanenet_sad.inference import network_process

    with suppress(BrokenPipeError):  # who it worked for was killed
        network_process._serve()
