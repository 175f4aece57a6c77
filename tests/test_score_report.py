import json

import pytest
from factories import write_culane_root

from lanenet_sad.cli import main

LABELS = [
    {"raw_file": f"clips/{n}/20.jpg", "lanes": [[300 + n, 310, -2]], "h_samples": [400, 500, 600]} for n in range(2)
]


def test_the_page_of_scored_files_counts_what_the_score_counts(shared, tmp_path, capsys):
    goldens = shared / "goldens/culane"
    words = ["score", "culane", "--annotations", str(goldens / "anno"), "--predictions", str(goldens / "pred_harsh")]
    words += ["--lists", str(goldens / "list/test_split"), "--json", str(tmp_path / "score.json"), "--no-progress"]
    assert main([*words, "--report", str(tmp_path / "report")]) == 0
    official = json.loads((tmp_path / "score.json").read_text())["results"][0]
    figures = json.loads((tmp_path / "report/figures.json").read_text())
    for key in ("tp", "fp", "fn", "f1"):
        assert figures["totals"][key] == official[key]
    assert figures["totals"]["tp"] > 100
    fp = {name: each["fp"] for name, each in official["categories"].items()}
    assert {name: each["fp"] for name, each in figures["categories"].items()} == fp
    assert figures["command"].startswith("lanenet-sad score culane --predictions ")
    assert f"wrote {tmp_path / 'report/index.html'}" in capsys.readouterr().out
    assert "goldens/culane/anno/" in (tmp_path / "report/frames/000.js").read_text()


def test_pictures_lie_where_images_says_and_lanes_are_scaled(tmp_path):
    root = write_culane_root(tmp_path / "culane")
    (root / "list/test.txt").write_text("".join(f"/clip/{n:05d}.jpg\n" for n in range(3)))
    words = ["score", "culane", "--annotations", str(root), "--predictions", str(root), "--canvas-width", "1640"]
    assert main([*words, "--report", str(tmp_path / "report"), "--no-progress"]) == 0
    figures = json.loads((tmp_path / "report/figures.json").read_text())
    assert (figures["totals"]["f1"], figures["canvas_width"]) == (1.0, 1640)
    chunk = (tmp_path / "report/frames/000.js").read_text()
    assert '"../culane/clip/00002.jpg",128,96' in chunk  # width and height of the picture itself


@pytest.mark.parametrize("missing", [False, True], ids=["all", "one missing"])
def test_tusimple_lanes_are_compared_for_the_page(tmp_path, missing):
    predictions = [{**label, "run_time": 10} for label in LABELS[: 1 if missing else 2]]
    for name, lines in (("labels.json", LABELS), ("predictions.json", predictions)):
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = ["score", "tusimple", "--labels", str(tmp_path / "labels.json"), "--predictions"]
    words += [str(tmp_path / "predictions.json"), "--report", str(tmp_path / "report"), "--allow-missing"]
    assert main(words) == 0
    figures = json.loads((tmp_path / "report/figures.json").read_text())
    assert [figures["totals"][key] for key in ("tp", "fp", "fn")] == ([1, 0, 1] if missing else [2, 0, 0])
    assert figures["compared_by_report"]
    assert '"../clips/1/20.jpg",1280,720' in (tmp_path / "report/frames/000.js").read_text()
