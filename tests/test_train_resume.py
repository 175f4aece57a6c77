"""Where a run may go on, and from whose state."""

import csv
import importlib
from functools import partial
from pathlib import Path

import pytest
from factories import write_culane_root
from train_runs import assert_equal_weights, run

from lanenet_sad.distillation import SelfAttentionDistillation
from lanenet_sad.train import Cadence
from lanenet_sad.training.schedule import Schedule

train_module = importlib.import_module("lanenet_sad.train")  # the module; the name `train` is the function


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_culane_root(tmp_path_factory.mktemp("culane"))


def test_a_run_may_go_on_from_anothers_state_where_distillation_has_not_acted(root, tmp_path):
    schedule = Schedule(max_steps=6, distillation_start=4)
    cadence = Cadence(log_every=2, checkpoint_every=3, keep_states=(2, 4))
    run(root, tmp_path / "none", sad=False, schedule=schedule, cadence=cadence)
    run(root, tmp_path / "sad", schedule=schedule)
    for step in (2, 4):
        branch = tmp_path / f"branch_{step}"
        branch.mkdir()
        (tmp_path / "none" / f"state_{step}.pt").rename(branch / "last.pt")
        run(root, branch, schedule=schedule, resume=True)
        assert_equal_weights(tmp_path / "sad", branch)
    with pytest.raises(AssertionError):
        assert_equal_weights(tmp_path / "sad", tmp_path / "none")


def test_a_run_does_not_go_on_where_distillation_has_acted(root, tmp_path):
    run(root, tmp_path / "none", sad=False, cadence=Cadence(keep_states=(5,)))
    (tmp_path / "none" / "state_5.pt").rename(tmp_path / "none" / "last.pt")
    with pytest.raises(ValueError, match="was trained with distillation"):
        run(root, tmp_path / "none", resume=True)  # SAD acts from step 4


def test_a_run_stopped_before_its_last_validation_is_validated_when_resumed(root, tmp_path, monkeypatch):
    options = {
        "val_split": "train",
        "canvas_width": 1640,
        "cadence": Cadence(log_every=2, checkpoint_every=2, validate_every=6),
    }
    with monkeypatch.context() as patched:
        patched.setattr(train_module.Validator, "__call__", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(root, tmp_path / "run", **options)
    summary = run(root, tmp_path / "run", resume=True, **options)
    run(root, tmp_path / "whole", **options)
    ours, theirs = (
        list(csv.DictReader((tmp_path / name / "metrics.csv").read_text().splitlines()))[-1]["val_score"]
        for name in ("run", "whole")
    )
    assert ours == theirs
    assert summary.best_score == pytest.approx(float(ours), abs=1e-6)
    assert (tmp_path / "run" / "best.safetensors").is_file()


def test_a_run_does_not_go_on_with_other_settings_of_a_method(root, tmp_path):
    run(root, tmp_path / "run")
    with pytest.raises(ValueError, match=r"was trained with distillation\.0\.weight 0\.1, not 0\.3"):
        run(root, tmp_path / "run", distillation=[partial(SelfAttentionDistillation, weight=0.3)], resume=True)
