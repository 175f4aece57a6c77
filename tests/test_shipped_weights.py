"""The weights in the package: small, of this architecture, and as good as their card says."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lanenet_sad.evaluate import evaluate
from lanenet_sad.inference.predictor import Predictor, shipped_weights
from lanenet_sad.predict import predict
from lanenet_sad.synthesize import synthesize

PROJECT = Path(__file__).parents[1]


def score(root: Path, out: Path, split: str = "val", **options):
    result = evaluate(
        "culane", root=root, out=out, split=split, canvas_width=1640, device="cpu", progress=False, **options
    )
    assert result.faults == ()
    return result.score


def test_they_are_small_and_say_where_they_come_from():
    path = shipped_weights()
    assert path.stat().st_size <= 4_500_000
    history = Predictor.from_weights(device="cpu").card.history
    assert {"benchmark", "seed", "steps", "val_score"} <= history.keys()
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    for heading in ("Data", "Licences", "Scores", "Limits", "How it was made"):
        assert f"## {heading}\n" in card


def test_they_find_the_lanes_of_rendered_roads(tmp_path):
    root = tmp_path / "rendered"
    synthesize(root, num_train=0, num_val=24, num_test=0, image_size=(184, 512), difficulty="easy", progress=False)
    assert score(root, tmp_path / "out").value >= 0.85


def test_real_roads(shared, tmp_path):
    roads = shared / "data" / "roads"
    every = score(roads, tmp_path / "all", group_folders=1)
    assert every.value >= 0.85
    assert every.false_on_unmarked / every.num_unmarked <= 0.2
    # 0.930 was measured; one lane in 443 is 0.002, and other processors round otherwise
    assert score(roads, tmp_path / "ego", slots=[2, 3]).value >= 0.92


@pytest.mark.slow
def test_predict_runs_offline_from_a_wheel(tmp_path):
    options = ["--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", *options, str(PROJECT)], check=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    picture = next((PROJECT / "data" / "sample" / "synthetic").rglob("*.jpg"))
    program = f"""
import socket, sys
sys.path.insert(0, {str(tmp_path / "site")!r})
def refuse(*_): raise AssertionError("a connection")
socket.socket.connect = socket.create_connection = refuse
import lanenet_sad
assert lanenet_sad.__file__.startswith({str(tmp_path)!r})
from lanenet_sad.cli import main
raise SystemExit(main(["predict", {str(picture)!r}, "--out", {str(tmp_path / "out")!r}, "--device", "cpu"]))
"""
    subprocess.run([sys.executable, "-I", "-c", program], check=True, cwd=tmp_path)
    assert (tmp_path / "out" / "lanes.jsonl").read_text(encoding="utf-8").count("slot") >= 1


def test_predict_needs_no_weights_option(tmp_path):
    picture = next((PROJECT / "data" / "sample" / "synthetic").rglob("*.jpg"))
    assert predict(str(picture), out=tmp_path, device="cpu", progress=False).num_frames == 1
