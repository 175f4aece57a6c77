"""Every experiment file builds, and says what its name and the published set-ups say."""

from pathlib import Path

import pytest
import torch
import yaml

from lanenet_sad import cli
from lanenet_sad.models.interface import EncoderSpec
from lanenet_sad.train import train

CONFIGS = sorted((Path(cli.__file__).parent / "configs").glob("*.yaml"))
METHODS = {"sad": "SelfAttentionDistillation", "byot": "BeYourOwnTeacher", "frskd": "FeatureRefinement"}


def build(path: Path) -> dict:
    parser = cli.build_parser("train", train)
    words = ["--config", str(path), "--root", "data", "--out", "runs"]
    return vars(parser.instantiate(parser.parse_args(cli.normalize_words(words, train))))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_experiment_builds(path):
    parts = build(path)
    network, view = parts["model"], parts["view"]
    methods = [type(method(network.spec)).__name__ for method in parts["distillation"]]
    assert methods == [name for word, name in METHODS.items() if word in path.stem.split("_")]
    assert isinstance(parts["optimizer"](network.parameters()), torch.optim.Optimizer)
    parts["augmentation"](view)
    output = network.eval()(torch.zeros(1, 3, *view.input_size))
    assert output.existence_logits.shape == (1, network.num_lanes)
    assert isinstance(network.encoder.spec, EncoderSpec)


@pytest.mark.parametrize(
    ("name", "size", "num_lanes", "cut", "steps", "start"),
    [
        ("culane_enet_sad", (288, 800), 4, 0, 60_000, 40_000),
        ("culane_enet_sad_crop", (208, 976), 4, 240, 100_000, 66_667),
        ("tusimple_enet_sad", (368, 640), 6, 0, 1_800, 1_200),
    ],
)
def test_published_set_ups(name, size, num_lanes, cut, steps, start):
    parts = build(next(path for path in CONFIGS if path.stem == name))
    image_size = (720, 1280) if "tusimple" in name else (590, 1640)
    assert parts["view"].input_size == size
    assert parts["view"].place(image_size).top == cut
    assert parts["model"].num_lanes == num_lanes
    assert (parts["schedule"].max_steps, parts["schedule"].start) == (steps, start)
    (group,) = parts["optimizer"](parts["model"].parameters()).param_groups
    assert (group["lr"], group["momentum"], group["nesterov"], group["weight_decay"]) == (0.01, 0.9, True, 1e-4)


def test_the_papers_experiment_has_the_papers_number_of_parameters():
    network = build(next(path for path in CONFIGS if path.stem == "culane_enet_sad"))["model"]
    assert sum(parameter.numel() for parameter in network.parameters()) == 977_138


@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("culane_enet", "culane_enet_sad"),
        ("culane_enet", "culane_enet_byot"),
        ("culane_enet", "culane_enet_frskd"),
        ("culane_enet_crop", "culane_enet_sad_crop"),
        ("tusimple_enet", "tusimple_enet_sad"),
    ],
)
def test_the_baseline_differs_in_distillation_alone(name, twin):
    baseline, with_sad = (
        yaml.safe_load((CONFIGS[0].parent / f"{each}.yaml").read_text(encoding="utf-8")) for each in (name, twin)
    )
    assert baseline.pop("distillation") == []
    assert with_sad.pop("distillation")
    assert with_sad["schedule"].pop("distillation_start") is None
    if "frskd" in twin:
        assert with_sad["schedule"].pop("distillation_ramp_shape") == "sigmoid"
        assert with_sad["schedule"].pop("distillation_ramp") == pytest.approx(1 / 3, abs=1e-3)
    assert baseline == with_sad
