"""The loop itself: on a CULane miniature of three pictures, a few steps each."""

import csv
import importlib
import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from factories import write_culane_root, write_weights
from train_runs import VIEW, assert_equal_weights, run, weights_of

from lanenet_sad.cli import run as run_verb
from lanenet_sad.distillation import SelfAttentionDistillation
from lanenet_sad.models import enet
from lanenet_sad.models.weights import load_weights
from lanenet_sad.train import Cadence, Runtime
from lanenet_sad.training.schedule import Schedule

train_module = importlib.import_module("lanenet_sad.train")  # the module; the name `train` is the function


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_culane_root(tmp_path_factory.mktemp("culane"))


def test_a_run_leaves_checkpoints_and_a_log(root, tmp_path):
    summary = run(root, tmp_path / "run", steps=6, ema_decay=0.9, clip_norm=1.0, configuration="benchmark: culane\n")
    assert summary.steps == 6
    assert summary.distillation_gradient_share > 0
    written = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"last.pt", "best.safetensors", "before_distillation.safetensors", "config.yaml", "metrics.csv"} <= written
    with (tmp_path / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "4", "6"]
    assert rows[0]["sad_2_3"] == ""
    assert float(rows[-1]["sad_2_3"]) > 0
    assert float(rows[-1]["support_2"]) > 1


@pytest.mark.parametrize("ema_decay", [None, 0.9], ids=["plain", "ema"])
def test_resume_equals_the_uninterrupted_run_bit_for_bit(root, tmp_path, ema_decay, monkeypatch):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(root, whole, ema_decay=ema_decay)
    steps = []
    original = train_module._step

    def stop_in_the_middle(state, batches, **options):
        steps.append(state.keeper.progress.step)
        if len(steps) == 5:
            raise KeyboardInterrupt
        return original(state, batches, **options)

    monkeypatch.setattr(train_module, "_step", stop_in_the_middle)
    with pytest.raises(KeyboardInterrupt):
        run(root, parts, ema_decay=ema_decay)
    run(root, parts, ema_decay=ema_decay, resume=True, seed=0)
    assert steps == [0, 1, 2, 3, 4, 3, 4, 5]
    assert_equal_weights(whole, parts)


def test_sad_changes_nothing_before_its_start_step(root, tmp_path):
    with pytest.warns(UserWarning, match="starts at step 4, and training ends at 4: it never acts"):
        run(root, tmp_path / "with", steps=4, schedule=Schedule(max_steps=4, distillation_start=4))
    run(root, tmp_path / "without", steps=4, sad=False)
    assert_equal_weights(tmp_path / "with", tmp_path / "without")


def test_sad_changes_the_weights_after_its_start(root, tmp_path):
    run(root, tmp_path / "with", steps=4)
    run(root, tmp_path / "without", steps=4, sad=False)
    with pytest.raises(AssertionError):
        assert_equal_weights(tmp_path / "with", tmp_path / "without")


def learned_weights(out: Path) -> dict[str, torch.Tensor]:
    """Those of the network and of the methods."""
    content = torch.load(out / "last.pt", weights_only=True)
    return {f"{part}.{name}": v for part in ("network", "distillation") for name, v in content[part].items()}


def plain_words(root: Path, out: Path, distillation: list[dict[str, object]]) -> list[str]:
    """One SGD step at learning rate 1 over two pictures, without anything random: the gradient can be read off."""
    words = f"--config synthetic_enet_sad --root {root} --out {out} --schedule.max-steps 1 --schedule.warmup-steps 0"
    words += " --view.input-size 32 64 --val-split null --batch-size 1 --clip-norm null"
    words += " --schedule.distillation-start 0 --schedule.distillation-ramp 0"
    words += " --optimizer torch.optim.SGD --optimizer.lr 1.0 --model.dropout 0.0 --runtime.num-workers 0"
    words += " --runtime.no-progress --cadence.checkpoint-every 1 --augmentation.flip 0.0 --loss.existence-weight 0"
    for name in ("rotation", "scale", "shift", "brightness", "contrast", "saturation", "hue", "gamma"):
        words += f" --augmentation.{name} 0.0"
    return [*words.split(), f"--distillation={json.dumps(distillation)}"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "methods",
    [[], ["BeYourOwnTeacher", "KnowledgeDistillation"]],
    ids=["alone", "exits-and-frozen-teacher"],
)
def test_two_processes_give_the_average_gradient_of_their_halves(tmp_path, methods):
    settings = {"KnowledgeDistillation": {"teacher_weights": str(write_weights(tmp_path / "t.safetensors", seed=1))}}
    distillation = [
        {"class_path": f"lanenet_sad.distillation.{name}", "init_args": settings.get(name, {})} for name in methods
    ]
    root = write_culane_root(tmp_path / "culane", sizes=((64, 160), (64, 160)))
    command = [sys.executable, "-m", "lanenet_sad", "train"]
    together = [*plain_words(root, tmp_path / "two", distillation), "--runtime.devices", "2"]
    alone = [*plain_words(root, tmp_path / "one", distillation), "--accumulate", "2"]
    for words in (together, alone):
        done = subprocess.run([*command, *words], capture_output=True, text=True, check=False, timeout=200)
        assert done.returncode == 0, done.stderr
    ours, theirs = learned_weights(tmp_path / "two"), learned_weights(tmp_path / "one")
    assert any(name.startswith("distillation.") for name in ours) == bool(methods)
    for name, value in ours.items():
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(value, theirs[name], rtol=0, atol=2e-3, msg=name)
    with (tmp_path / "two" / "metrics.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1"]  # one process writes


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_signal_ends_a_run_that_can_go_on(root, tmp_path, number):
    words = f"--config synthetic_enet_sad --root {root} --out {tmp_path / 'run'} --schedule.max-steps 100000"
    words += " --view.input-size 32 64 --val-split null --batch-size 1 --runtime.num-workers 1 --cadence.log-every 1"
    command = [sys.executable, "-m", "lanenet_sad", "train", *words.split()]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    for line in process.stderr:
        if line.startswith("step 3"):
            break
    os.killpg(process.pid, number)  # as a terminal or a scheduler does: the workers get it too
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 130, error
    assert "Traceback" not in error
    assert torch.load(tmp_path / "run" / "last.pt", weights_only=True)["progress"]["step"] >= 3


@pytest.mark.parametrize(
    "options",
    [
        {"seed": 1},
        {"batch_size": 1},
        {"sad": False},
        {"optimizer": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9)},
    ],
    ids=["seed", "batch", "distillation", "learning-rate"],
)
def test_resuming_with_other_settings_is_refused(root, tmp_path, options):
    run(root, tmp_path / "run", steps=3)
    with pytest.raises(ValueError, match=r"Resume: .*last\.pt was trained with"):
        run(root, tmp_path / "run", steps=3, resume=True, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"accumulate": 0}, "accumulate"),
        ({"batch_size": 0}, "batch_size"),
        ({"clip_norm": -1.0}, "clip_norm"),
        ({"model": enet(existence_head="fixed", input_size=(64, 64))}, "64x64 pixels, the view's is 32x64"),
        ({"runtime": Runtime(accelerator="tpu")}, "Runtime tpu"),
    ],
    ids=["accumulate", "batch", "clip", "fixed-head", "accelerator"],
)
def test_settings_that_make_no_sense_leave_nothing_behind(root, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        run(root, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_an_interrupt_during_validation_keeps_the_steps_before_it(root, tmp_path, monkeypatch):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("lanenet_sad.training.validator.validate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(root, tmp_path / "run", val_split="train", cadence=Cadence(2, 2, 2))
    assert torch.load(tmp_path / "run" / "last.pt", weights_only=True)["progress"]["step"] == 2


def test_broken_weights_never_replace_good_ones(root, tmp_path, monkeypatch):
    original = train_module._step

    def poison(state, batches, **options):
        values = original(state, batches, **options)
        if state.keeper.progress.step == 3:
            next(state.keeper.learner.network.parameters()).data.fill_(float("inf"))
        return values

    monkeypatch.setattr(train_module, "_step", poison)
    with pytest.raises(ValueError, match="diverged at step 4: a weight is not finite"):
        run(root, tmp_path / "run", cadence=Cadence(1, 10, 1))
    assert all(torch.isfinite(value).all() for value in weights_of(tmp_path / "run").values())


def test_an_unreadable_validation_image_is_reported(tmp_path):
    broken = write_culane_root(tmp_path / "culane")
    (broken / "list/good_gt.txt").write_text((broken / "list/train_gt.txt").read_text().splitlines()[0] + "\n")
    picture = sorted(broken.rglob("*.jpg"))[1]
    picture.write_bytes(b"")
    summary = run(broken, tmp_path / "run", steps=2, train_split="good", val_split="train", canvas_width=1640)
    assert len(summary.faults) == 1
    assert picture.name in summary.faults[0]


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("options", [{}, {"mapping": "gradient"}], ids=["activation", "gradient"])
def test_sad_is_logged_alive_in_every_precision(root, tmp_path, precision, options):
    runtime = Runtime(precision=precision, accelerator="cpu", num_workers=0, progress=False)
    method = partial(SelfAttentionDistillation, **options)
    summary = run(root, tmp_path / "run", steps=3, distillation=[method], runtime=runtime)
    assert summary.distillation_gradient_share > 0


def test_validation_keeps_the_best(root, tmp_path):
    summary = run(root, tmp_path / "run", val_split="train", canvas_width=1640, cadence=Cadence(2, 3, 3, 2))
    assert summary.best_score is not None
    card = load_weights(tmp_path / "run" / "best.safetensors")[1]
    assert card.history["val_score"] == summary.best_score
    assert card.view == VIEW


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"train_split": "nothing"}, r"no list/nothing_gt\.txt", id="no-such-list"),
        pytest.param({"resume": True}, r"no checkpoint .*last\.pt", id="nothing-to-resume"),
        pytest.param({"benchmark": "kitti"}, "none of that name; there are culane, tusimple", id="no-such-benchmark"),
        pytest.param({"init_weights": Path("nowhere.safetensors")}, "there is no such file", id="no-such-weights"),
    ],
)
def test_bad_input_is_one_sentence(root, tmp_path, options, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        run(root, tmp_path / "run", **options)


def test_a_finished_run_is_not_overwritten(root, tmp_path):
    run(root, tmp_path / "run", steps=1, sad=False)
    with pytest.raises(ValueError, match="there is a run in it"):
        run(root, tmp_path / "run", steps=1, sad=False)


def test_starting_from_weights_of_another_lane_count_says_what_is_new(root, tmp_path, capsys):
    weights = write_weights(tmp_path / "w.safetensors", num_lanes=2)
    run(root, tmp_path / "run", steps=1, sad=False, init_weights=weights)
    said = f"Started from the weights {weights}; left as initialised: lane slot 1, lane slot 4.\n"
    assert capsys.readouterr().out.count(said) == 1
    assert load_weights(tmp_path / "run" / "best.safetensors")[0].num_lanes == 4


def test_one_command_trains_on_own_lane_count_from_the_shipped_weights(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        "lanenet_sad.inference.predictor.SHIPPED_WEIGHTS", tmp_path / "shipped/enet_sad_roads.safetensors"
    )
    weights = write_weights(tmp_path / "shipped" / "enet_sad_roads.safetensors")
    (own := write_culane_root(tmp_path / "own")).joinpath("list/train_gt.txt").write_text("/clip/00000.jpg\n")
    words = f"--config synthetic_enet_sad --root {own} --out {tmp_path / 'run'} --schedule.max-steps 2 --batch-size 1"
    words += " --view.input-size 32 64 --val-split null --runtime.num-workers 0 --runtime.no-progress"
    words += " --distillation=[] --optimizer.lr 0 --model.num-lanes 6 --init-weights shipped"
    assert run_verb("train", words.split()) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert f"Started from the weights {weights}; left as initialised: lane slot 1, lane slot 6.\n" in said
    ours, theirs = weights_of(tmp_path / "run"), load_weights(weights)[0].state_dict()
    assert torch.equal(ours["encoder.initial.conv.weight"], theirs["encoder.initial.conv.weight"])
    assert torch.equal(ours["decoder.full.weight"][:, 2:6], theirs["decoder.full.weight"][:, 1:5])
    assert run_verb("train", [*words.split(), "--resume"]) == 0  # the state of the run counts, not what it started from
    assert "Started" not in capsys.readouterr().out


def test_a_diverged_loss_stops_the_run_with_a_reason(root, tmp_path):
    with pytest.raises(ValueError, match="diverged at step"):
        run(root, tmp_path / "run", optimizer=lambda p: torch.optim.SGD(p, lr=1e30))


def test_a_broken_picture_is_reported_and_the_rest_goes_on(tmp_path, capsys):
    broken = write_culane_root(tmp_path / "culane")
    picture = sorted(broken.rglob("*.jpg"))[1]
    picture.write_bytes(picture.read_bytes()[:200])
    summary = run(broken, tmp_path / "run", steps=3)
    assert summary.steps == 3
    assert len(summary.faults) == 1
    assert picture.name in summary.faults[0]


def test_the_command_line_trains_from_a_yaml_file_and_saves_it_whole(root, tmp_path, capsys):
    words = f"--config synthetic_enet_sad --root {root} --out {tmp_path / 'run'} --schedule.max-steps 2 --batch-size 1"
    words += " --view.input-size 32 64 --val-split null --runtime.num-workers 0 --runtime.no-progress"
    assert run_verb("train", words.split()) == 0, capsys.readouterr().err
    again = f"--config {tmp_path / 'run' / 'config.yaml'} --out {tmp_path / 'again'}"
    assert run_verb("train", again.split()) == 0, capsys.readouterr().err
    assert_equal_weights(tmp_path / "run", tmp_path / "again")
