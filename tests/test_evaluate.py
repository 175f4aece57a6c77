import json
from pathlib import Path

import pytest
from factories import write_culane_root, write_weights

from lanenet_sad.evaluate import evaluate
from lanenet_sad.metrics.culane import CULaneMetric, score_culane_files


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "sure.safetensors")


def score(root: Path, out: Path, weights: Path, **options):
    defaults = {"split": "train", "threshold": 0.0, "num_workers": 0, "device": "cpu", "progress": False}
    return evaluate("culane", root=root, out=out, weights=weights, **{**defaults, "canvas_width": 1640, **options})


def test_it_writes_the_figures_and_one_file_per_image(tmp_path, weights, capsys):
    root = write_culane_root(tmp_path / "culane")
    result = score(root, tmp_path / "out", weights)
    written = json.loads(result.score_path.read_text())
    assert written["num_images"] == 3
    assert written["results"][0]["fn"] + written["results"][0]["tp"] == 6
    assert [path.relative_to(tmp_path / "out/predictions").as_posix() for path in result.prediction_paths] == [
        f"clip/{number:05d}.lines.txt" for number in range(3)
    ]
    assert "CULane F1" in capsys.readouterr().out


def test_the_score_is_that_of_the_files_it_wrote(tmp_path, weights):
    root = write_culane_root(tmp_path / "culane", sizes=((64, 160), (96, 128)))
    result = score(root, tmp_path / "out", weights)
    again = CULaneMetric(canvas_width=1640)
    names = ["/clip/00000.jpg", "/clip/00001.jpg"]
    sizes = dict(zip(names, [(64, 160), (96, 128)], strict=True))
    score_culane_files(root, tmp_path / "out" / "predictions", names, again, image_sizes=sizes)
    assert again.compute().totals == result.score.totals


def test_categories_come_from_the_test_split_lists(tmp_path, weights):
    root = write_culane_root(tmp_path / "culane")
    (root / "list/test_split").mkdir()
    (root / "list/test_split/test0_normal.txt").write_text("/clip/00000.jpg\n/clip/00001.jpg\n")
    (root / "list/test_split/test8_night.txt").write_text("/clip/00002.jpg\n")
    result = score(root, tmp_path / "out", weights)
    categories = result.score.to_dict()["results"][0]["categories"]
    assert {name: row["tp"] + row["fn"] for name, row in categories.items()} == {"test0_normal": 4, "test8_night": 2}


def test_an_unreadable_image_counts_as_missed_and_is_reported(tmp_path, weights):
    root = write_culane_root(tmp_path / "culane")
    whole = score(root, tmp_path / "whole", weights)
    picture = root / "clip/00001.jpg"
    picture.write_bytes(picture.read_bytes()[:-40])
    result = score(root, tmp_path / "out", weights)
    assert len(result.faults) == 1
    assert "00001.jpg" in result.faults[0]
    lanes = [sum((total.tp, total.fn)) for total in (whole.score.totals[0.5], result.score.totals[0.5])]
    assert lanes[0] == lanes[1]


def test_images_of_another_size_than_the_canvas_are_pointed_out(tmp_path, weights):
    root = write_culane_root(tmp_path / "culane")
    with pytest.warns(UserWarning, match="give --canvas-width 1640"):
        score(root, tmp_path / "out", weights, canvas_width=None)


@pytest.mark.parametrize("decoding", ["soft_argmax", "published"])
def test_real_images_are_scored(shared, tmp_path, weights, decoding):
    result = score(shared / "data" / "roads", tmp_path / "out", weights, split="val", max_images=3, decoding=decoding)
    assert result.score.to_dict()["num_images"] == 3


def test_tusimple_has_no_canvas(tmp_path, weights):
    with pytest.raises(FileNotFoundError, match=r"test_label\.json"):
        evaluate("tusimple", root=tmp_path, weights=weights, out=tmp_path / "out")
    with pytest.raises(ValueError, match="no split 'holiday'"):
        evaluate("tusimple", root=tmp_path, weights=weights, out=tmp_path / "out", split="holiday")
