"""Files that grow line by line: what is in them after an error, a kill or a full disk."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lanenet_sad.inference.growing_file import GrowingFile


def write_three(path: Path, error: BaseException | None = None) -> None:
    with GrowingFile(path, header="letter") as file:
        for line in "abc":
            file.write_line(line)
        if error is not None:
            raise error


def test_the_name_appears_at_the_end(tmp_path):
    path = tmp_path / "new folder" / "a.csv"
    with GrowingFile(path, header="letter") as file:
        file.write_line("ä")
        assert not path.exists()
        assert file.num_lines == 1
    assert path.read_text(encoding="utf-8") == "letter\nä\n"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error_type", [RuntimeError, KeyboardInterrupt], ids=["error", "ctrl-c"])
def test_an_interrupted_file_keeps_its_lines(tmp_path, error_type):
    with pytest.raises(error_type):
        write_three(tmp_path / "a.csv", error_type())
    assert (tmp_path / "a.csv").read_text() == "letter\na\nb\nc\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.csv"]


def test_without_a_line_the_old_file_stays(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old\n")
    with pytest.raises(RuntimeError, match="no network"), GrowingFile(path, header="letter"):
        raise RuntimeError("no network")
    with GrowingFile(path):
        pass
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_kill_leaves_whole_lines_under_the_temporary_name(tmp_path):
    program = (
        "import os, signal\n"
        "from lanenet_sad.inference.growing_file import GrowingFile\n"
        f"with GrowingFile({str(tmp_path / 'a.csv')!r}) as file:\n"
        "    file.write_line('one')\n"
        "    file.write_line('two')\n"
        f"    os.kill(os.getpid(), {int(signal.SIGKILL)})\n"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.suffix == ".csv"
    assert left.read_text() == "one\ntwo\n"


def test_a_full_disk_keeps_the_lines_that_fitted(tmp_path):
    resource = pytest.importorskip("resource", reason="limits of a file's size are a thing of POSIX")
    path = tmp_path / "a.csv"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def write_until_full() -> None:
        with GrowingFile(path) as file:
            file.write_line("x" * 1000)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limits[1]))
            try:
                file.write_line("y" * 1000)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    with pytest.raises(OSError, match=r"a\.csv: cannot write line 2 \(File too large\); the lines before it are kept"):
        write_until_full()
    assert path.read_text() == "x" * 1000 + "\n"
    assert list(tmp_path.iterdir()) == [path]
