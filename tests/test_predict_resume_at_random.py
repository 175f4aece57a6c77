"""Runs over pictures in random order, resumed, stopped, with other settings: what is there is what one run gives."""

import hashlib
import json
import random
from pathlib import Path

import pytest
from factories import make_picture, write_picture
from prediction_factories import find, read_lines

from lanenet_sad.inference.naming import names_below
from lanenet_sad.inference.recorder import Recorder
from lanenet_sad.inference.sources import open_sources

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unrefined"), pytest.mark.filterwarnings("ignore::UserWarning")]
FOLDERS = ("a", "b", "a/deeper")
NAMES = ("a", "b", "a/deeper", ".", "a/1.jpg", "a/*.jpg")
FORMATS = ("jsonl", "jsonl", "culane", "tusimple")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def alone(file: Path, weights: Path, folder: Path, **settings) -> tuple[str, dict]:
    """The drawn copy and the line of one picture, done by itself."""
    (folder / "in").mkdir(parents=True)
    (folder / "in/x.jpg").write_bytes(file.read_bytes())
    find(folder / "in", folder / "out", weights, **settings)
    (line,) = read_lines(folder / "out/lanes.jsonl")
    return digest(folder / "out/x.jpg"), {**line, "source": str(file)}


@pytest.mark.parametrize("seed", range(24))
def test_what_is_there_is_what_one_run_gives(tmp_path, weights, monkeypatch, seed):
    rng, root, write = random.Random(seed), tmp_path / "in", Recorder.write
    pictures = [root / folder / f"{number}.jpg" for folder in FOLDERS for number in range(3)]
    for number, picture in enumerate(pictures):
        write_picture(picture, make_picture((64, 96 + 64 * (number % 2)), seed=number))
    for step in range(rng.randint(3, 8)):
        if rng.random() < 0.25:
            write_picture(rng.choice(pictures), make_picture((64, 128), seed=100 + step))
        settings = {"threshold": rng.choice([0.0, 0.0, 0.4]), "format": rng.choice(FORMATS)}
        source, stop_at, is_resumed = root / rng.choice(NAMES), rng.choice([None, None, 0, 1, 2]), rng.random() < 0.8
        seen = []

        def stopping(recorder, frame, prediction, seen=seen, stop_at=stop_at):
            seen.append(frame.source)
            if len(seen) - 1 == stop_at:
                raise KeyboardInterrupt
            return write(recorder, frame, prediction)

        with monkeypatch.context() as patch:
            patch.setattr(Recorder, "write", stopping)
            try:
                summary = find(source, tmp_path / "out", weights, resume=is_resumed, **settings)
            except KeyboardInterrupt:
                continue
        assert summary.faults == ()
        lines = read_lines(tmp_path / "out/lanes.jsonl")
        (opened,) = open_sources(str(source))
        for index, (file, name) in enumerate(zip(opened.files, names_below(opened), strict=True)):
            copy, expected = alone(Path(file), weights, tmp_path / f"alone-{step}-{index}", **settings)
            (line,) = (line for line in lines if line["source"] == file)
            assert line == {**expected, "frame": line["frame"], "drawn": name}, json.dumps([seed, step])
            assert digest(tmp_path / "out" / name) == copy, json.dumps([seed, step])
