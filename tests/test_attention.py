from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from factories import make_picture, write_picture, write_video, write_weights

from lanenet_sad.attention import attention, column_titles
from lanenet_sad.cli import main
from lanenet_sad.distillation.attention_map import attention_map
from lanenet_sad.inference.predictor import Predictor
from lanenet_sad.inference.sources import open_source


@pytest.fixture
def pair(tmp_path):
    return tuple(write_weights(tmp_path / f"w{seed}.safetensors", seed=seed) for seed in (0, 1))


def look(source, tmp_path, weights, **options):
    return attention(str(source), out=tmp_path / "out", weights=weights, device="cpu", progress=False, **options)


def test_two_checkpoints_stand_side_by_side(tmp_path, pair):
    write_picture(tmp_path / "road.png", make_picture((64, 160)))
    look(tmp_path / "road.png", tmp_path, pair, titles=("before SAD", "after SAD"))
    grid = cv2.imread(str(tmp_path / "out" / "road.attention.png"))
    assert grid.shape[0] > 4 * 64
    assert grid.shape[1] > 2 * 160
    with np.load(tmp_path / "out" / "road.attention.npz") as maps:
        assert set(maps) == {f"{title} SAD/E{block}" for title in ("before", "after") for block in (1, 2, 3, 4)}
        assert maps["before SAD/E1"].shape == (16, 32)
        assert maps["before SAD/E4"].shape == (4, 8)


def test_the_maps_are_the_networks_own(tmp_path, pair):
    image = make_picture((64, 160))
    write_picture(tmp_path / "road.png", image)
    look(tmp_path / "road.png", tmp_path, pair[:1], mapping="max", power=4)
    output, _ = Predictor.from_weights(pair[0], device="cpu").forward([image])
    with np.load(tmp_path / "out" / "road.attention.npz") as maps:
        for block, feature in enumerate(output.features, start=1):
            expected = attention_map(feature, "max", 4)[0].numpy()
            np.testing.assert_allclose(maps[f"w0/E{block}"], expected, rtol=1e-5)


def test_a_column_for_each_method_of_an_ablation_on_the_command_line(tmp_path):
    titles = ("none", "SAD", "BYOT", "FRSKD")
    weights = [str(write_weights(tmp_path / f"{title}.safetensors", seed=seed)) for seed, title in enumerate(titles)]
    write_picture(tmp_path / "road.png", make_picture((64, 160)))
    words = ["attention", str(tmp_path / "road.png"), "--out", str(tmp_path / "out"), "--weights", *weights]
    assert main([*words, "--titles", *titles, "--cell-width", "80", "--device", "cpu", "--no-progress"]) == 0
    grid = cv2.imread(str(tmp_path / "out" / "road.attention.png"))
    assert 4 * 80 < grid.shape[1] < 5 * 80
    assert 4 * 32 < grid.shape[0] < 5 * 32 + 40
    with np.load(tmp_path / "out" / "road.attention.npz") as maps:
        assert set(maps) == {f"{title}/E{block}" for title in titles for block in (1, 2, 3, 4)}


def test_networks_with_fewer_blocks_have_shorter_columns(tmp_path, pair, monkeypatch):
    loaded = Predictor.from_weights

    def cut(path, **options):
        predictor = loaded(path, **options)
        if path == pair[0]:
            monkeypatch.setattr(predictor.network, "decoder", FirstFeature())
            monkeypatch.setattr(predictor.network, "existence_head", FirstFeature())
            predictor.network.encoder.cut_after(2)
        return predictor

    monkeypatch.setattr(Predictor, "from_weights", cut)
    write_picture(tmp_path / "road.png", make_picture((64, 160)))
    look(tmp_path / "road.png", tmp_path, pair, titles=("exit 2", "whole"))
    grid = cv2.imread(str(tmp_path / "out" / "road.attention.png"))
    assert (grid[-140:-6, -332:-172] == 18).all()
    assert (grid[-140:-6, -166:-6] > 18).any()
    with np.load(tmp_path / "out" / "road.attention.npz") as maps:
        assert set(maps) == {"exit 2/E1", "exit 2/E2", "whole/E1", "whole/E2", "whole/E3", "whole/E4"}


class FirstFeature(torch.nn.Module):
    """Stands where a head was: a network of an exit has other ones."""

    input_size = None
    reads_logits = False

    def forward(self, encoding):
        return encoding


def test_without_a_checkpoint_those_in_the_package_are_looked_at(tmp_path, pair, monkeypatch):
    monkeypatch.setattr("lanenet_sad.inference.predictor.SHIPPED_WEIGHTS", pair[0])
    write_picture(tmp_path / "road.png", make_picture((64, 160)))
    look(tmp_path / "road.png", tmp_path, ())
    with np.load(tmp_path / "out" / "road.attention.npz") as maps:
        assert set(maps) == {f"shipped weights/E{block}" for block in (1, 2, 3, 4)}


def test_a_video_gives_a_video_and_maps_of_the_frames_taken(tmp_path, pair):
    write_video(tmp_path / "drive.mp4", num_frames=6)
    summary = look(tmp_path / "drive.mp4", tmp_path, pair[:1], every=2)
    assert summary.num_frames == 3
    with open_source(str(tmp_path / "out" / "drive.attention.mp4")) as source:
        assert sum(1 for _ in source) == 3
    with np.load(tmp_path / "out" / "drive.attention.npz") as maps:
        assert {name.rpartition("/")[2] for name in maps} == {"000000", "000002", "000004"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"titles": ("one", "two", "three")}, "titles: expected one per checkpoint"),
        ({"titles": ("one", "one")}, "titles: expected different ones"),
        ({"every": 0}, "every"),
        ({"cell_width": 8}, "cell_width: expected at least 32, got 8"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, pair, options, message):
    write_picture(tmp_path / "road.png", make_picture((64, 160)))
    with pytest.raises(ValueError, match=message):
        look(tmp_path / "road.png", tmp_path, pair, **options)


@pytest.mark.parametrize(
    ("paths", "titles"),
    [
        ((), ("shipped weights",)),
        (("a/best.pt", "a/last.pt"), ("best", "last")),
        (("a/run/best.pt", "b/run/best.pt"), ("a/run/best", "b/run/best")),
        (("a/best.pt", "a/best.pt"), ("best 1", "best 2")),
    ],
    ids=["none", "stems", "folders", "same"],
)
def test_column_titles_tell_checkpoints_apart(paths, titles):
    assert column_titles(tuple(Path(path) for path in paths)) == titles


def test_pictures_of_one_stem_keep_their_suffix(tmp_path, pair):
    for suffix in ("jpg", "png"):
        write_picture(tmp_path / "photos" / f"road.{suffix}", make_picture((64, 160)))
    look(tmp_path / "photos", tmp_path, pair[:1])
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {
        "road.jpg.attention.png",
        "road.png.attention.png",
    }
