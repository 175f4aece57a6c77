"""`predict --exit`, `evaluate --exit`, `--all-exits` and `--weight-noise` on an untrained network with exits."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from exit_factories import write_weights_with_exits
from factories import make_picture, write_culane_root, write_picture, write_weights

from lanenet_sad import cli
from lanenet_sad.evaluate import evaluate
from lanenet_sad.inference import predictor as predictor_module
from lanenet_sad.inference.exit_table import latencies
from lanenet_sad.inference.predictor import Predictor
from lanenet_sad.inference.weight_noise import NoiseRow
from lanenet_sad.models.weights import load_exits
from lanenet_sad.postprocess.decode import LaneDecoder
from lanenet_sad.predict import predict


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return write_weights_with_exits(tmp_path_factory.mktemp("weights") / "w.safetensors")


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_culane_root(tmp_path_factory.mktemp("culane"), sizes=((64, 160), (64, 160)))


def score(root, out, weights, **options):
    defaults = {"split": "train", "threshold": 0.0, "num_workers": 0, "device": "cpu", "progress": False}
    return evaluate("culane", root=root, out=out, weights=weights, **{**defaults, "canvas_width": 1640, **options})


@pytest.mark.parametrize("block", [2, 3])
def test_a_predictor_at_an_exit_is_the_exit(weights, block):
    found, picture = load_exits(weights), make_picture((64, 160))
    whole, _ = Predictor.from_weights(weights, device="cpu").forward([picture])
    output, _ = Predictor.from_weights(weights, device="cpu", exit=block).forward([picture])
    with torch.inference_mode():
        expected = found.exits[block](whole.features)
    torch.testing.assert_close(output.segmentation_logits, expected.segmentation_logits)
    torch.testing.assert_close(output.existence_logits, expected.existence_logits)
    assert len(output.features) == block


@dataclass(frozen=True)
class Unrefined(LaneDecoder):
    """What an untrained network sees is no line, and would be left out as stray points."""

    refine: bool = False


def test_predict_finds_other_lanes_at_every_exit(tmp_path, weights, monkeypatch):
    monkeypatch.setattr(predictor_module, "LaneDecoder", Unrefined)
    write_picture(tmp_path / "road.png", make_picture((90, 200)))
    found = []
    for exit in (None, 2, 3, "ensemble"):
        options = {"out": tmp_path / str(exit), "weights": weights, "device": "cpu", "threshold": 0.0}
        summary = predict(str(tmp_path / "road.png"), **options, exit=exit, progress=False)
        assert summary.num_lanes > 0
        found.append((tmp_path / str(exit) / "lanes.jsonl").read_text())
    assert len(set(found)) == 4


def test_an_ensemble_is_the_mean_of_the_exits_and_the_whole(weights):
    picture = make_picture((64, 160))
    probs = [
        Predictor.from_weights(weights, device="cpu", exit=exit).forward([picture])[0].segmentation_logits.softmax(1)
        for exit in (2, 3, None, "ensemble")
    ]
    torch.testing.assert_close(probs[3], torch.stack(probs[:3]).mean(0))


@pytest.mark.parametrize("exit", [2, "ensemble"])
def test_evaluate_at_an_exit_says_so(root, tmp_path, weights, exit):
    result = score(root, tmp_path / "out", weights, exit=exit)
    written = json.loads(result.score_path.read_text())
    assert written["exit"] == exit
    assert written["network"]["builder"] == ("exit" if exit == 2 else "enet")
    assert result.table_paths == ()


def test_the_table_of_exits_holds_every_way_to_predict(root, tmp_path, weights, capsys):
    result = score(root, tmp_path / "out", weights, all_exits=True)
    assert [path.name for path in result.table_paths] == ["exits.md", "exits.json"]
    content = json.loads(result.table_paths[1].read_text())
    rows = {row["name"]: row for row in content["exits"]}
    assert list(rows) == ["exit 2", "exit 3", "whole network", "ensemble"]
    assert content["metric"] == "CULane F1"
    assert rows["whole network"]["score"] == result.score.value
    for name, exit in (("exit 2", 2), ("ensemble", "ensemble")):
        assert rows[name]["score"] == score(root, tmp_path / name, weights, exit=exit).score.value
    counts = [row["parameters"] for row in rows.values()]
    assert counts[0] < counts[1] < counts[3]
    assert counts[2] < counts[3]
    assert all(row["milliseconds"] > 0 for row in rows.values())
    table = result.table_paths[0].read_text()
    assert table in capsys.readouterr().out
    header = [cell.strip() for cell in table.splitlines()[0].strip("|").split("|")]
    assert header == ["predicts", "CULane F1", "ms a view", "parameters"]
    assert len({len(line) for line in table.splitlines()}) == 1


def test_noise_on_the_weights_is_scored_for_each_strength_and_seed(root, tmp_path, weights):
    options = {"weight_noise": [0.0, 0.5], "noise_seeds": 2, "exit": 2}
    result = score(root, tmp_path / "out", weights, **options)
    content = json.loads((tmp_path / "out" / "weight_noise.json").read_text())
    none, some = content["noise"]
    assert none["scores"] == [result.score.value]
    assert len(some["scores"]) == 2
    assert content["exit"] == 2
    assert (tmp_path / "out" / "weight_noise.md") in result.table_paths
    again = score(root, tmp_path / "again", weights, **options)
    assert json.loads(again.table_paths[1].read_text()) == content


def test_noise_is_summed_up_by_mean_and_deviation():
    row = NoiseRow(0.1, (0.5, 0.7, 0.9))
    assert row.mean == pytest.approx(0.7)
    assert row.deviation == pytest.approx(0.2)
    assert NoiseRow(0.0, (0.5,)).deviation == 0


def test_networks_take_turns_when_they_are_timed():
    order = []

    class Watched(torch.nn.Module):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def forward(self, view):
            order.append(self.name)

    times = latencies({name: Watched(name) for name in "ab"}, torch.zeros(1, 3, 8, 8), rounds=3)
    assert order == list("ab") * 5
    assert np.all(np.array(list(times.values())) >= 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exit": 5}, r"there is no exit 5, as the encoder has blocks 1 to 4; this network has exits 2 and 3\."),
        ({"exit": 2, "all_exits": True}, r"exit 2 and all_exits: the table holds every exit; give one of the two\."),
        ({"weight_noise": [0.1, -0.1]}, r"weight_noise: expected deviations of 0 or more, got \[0\.1, -0\.1\]\."),
        ({"noise_seeds": 0}, r"noise_seeds: expected at least 1, got 0\."),
    ],
    ids=["beyond", "both", "negative", "no-seed"],
)
def test_what_makes_no_sense_is_one_sentence(root, tmp_path, weights, options, message):
    with pytest.raises(ValueError, match=message):
        score(root, tmp_path / "out", weights, **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [{"exit": 2}, {"exit": "ensemble"}, {"all_exits": True}], ids=str)
def test_a_network_without_exits_says_so(root, tmp_path, options):
    plain = write_weights(tmp_path / "plain.safetensors")
    with pytest.raises(ValueError, match=r"plain\.safetensors: there are no exits in this file; a run with BeYour"):
        score(root, tmp_path / "out", plain, **options)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("predict a.jpg --out o --exit 2", {"exit": 2}),
        ("predict a.jpg --out o --exit ensemble", {"exit": "ensemble"}),
        ("predict a.jpg --out o", {"exit": None}),
        ("evaluate culane --root r --exit 3", {"exit": 3, "all_exits": False, "weight_noise": None}),
        ("evaluate culane --root r --all-exits", {"exit": None, "all_exits": True}),
        (
            "evaluate culane --root r --weight-noise 0 0.01 0.02 --noise-seeds 3",
            {"weight_noise": [0, 0.01, 0.02], "noise_seeds": 3},
        ),
    ],
)
def test_the_command_line_takes_them(words, expected):
    verb, *rest = words.split()
    found = cli.parse(verb, rest)
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(("exit", "message"), [("9", "there are no exits"), ("first", "exit")])
def test_a_wrong_exit_ends_the_command_with_2(tmp_path, exit, message, capsys):
    plain = write_weights(tmp_path / "plain.safetensors")
    words = ["predict", "a.jpg", "--out", str(tmp_path / "o"), "--weights", str(plain), "--exit", exit]
    assert cli.main(words) == 2
    assert message in capsys.readouterr().err
