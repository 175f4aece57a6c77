import subprocess
import sys
from pathlib import Path

import pytest

from lanenet_sad.cli import VERBS

TOOLS = sorted((Path(__file__).parents[1] / "tools").glob("*.py"))


def test_there_is_a_script_for_every_verb():
    names = {path.stem.removeprefix("visualize_") for path in TOOLS}
    assert names == set(VERBS)


@pytest.mark.parametrize("path", TOOLS, ids=lambda path: path.stem)
def test_a_script_is_thin_and_shows_its_help(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 15
    done = subprocess.run([sys.executable, str(path), "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "usage: lanenet-sad" in done.stdout
