"""The loop with frozen teachers and two views: resumed exactly, and no teacher in what is written."""

from functools import partial

import pytest
import torch
from factories import write_culane_root
from teacher_factories import write_teacher

from lanenet_sad.datasets.transforms import TrainTransform
from lanenet_sad.distillation import AttentionTransfer, KnowledgeDistillation, RelationDistillation, ViewConsistency
from lanenet_sad.lanes.view import InputView
from lanenet_sad.models import enet
from lanenet_sad.train import Cadence, Runtime, train
from lanenet_sad.training.schedule import Schedule


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    root = write_culane_root(folder / "culane")
    teachers = (AttentionTransfer, KnowledgeDistillation, RelationDistillation)
    methods = [partial(method, teacher_weights=write_teacher(folder)) for method in teachers]

    def start(out, *, steps=3, distillation=(*methods, ViewConsistency), start=1, **options):
        torch.manual_seed(0)
        return train(
            benchmark="culane",
            root=root,
            out=out,
            model=enet(num_lanes=4),
            view=InputView((32, 64), aspect=2.5),
            distillation=distillation,
            optimizer=partial(torch.optim.SGD, lr=0.01),
            augmentation=TrainTransform,
            schedule=Schedule(max_steps=steps, distillation_start=start),
            val_split=None,
            batch_size=2,
            cadence=Cadence(log_every=2, keep_states=(2,)),
            runtime=Runtime(accelerator="cpu", num_workers=0, progress=False),
            **options,
        )

    start.methods = methods
    return start


def test_a_resumed_run_equals_the_uninterrupted_one_and_holds_no_teacher(run, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run(whole, clip_norm=1.0)
    parts.mkdir()
    (whole / "state_2.pt").rename(parts / "last.pt")
    run(parts, clip_norm=1.0, resume=True)
    ours, theirs = (torch.load(out / "last.pt", weights_only=True) for out in (whole, parts))
    assert ours["distillation"] == {}
    assert all(torch.equal(value, theirs["network"][name]) for name, value in ours["network"].items())


def test_methods_that_act_from_step_0_are_not_said_to_never_act(run, tmp_path):
    run(tmp_path / "teachers", steps=1, start=1, distillation=run.methods)
    with pytest.warns(UserWarning, match=r"Distillation \(ViewConsistency\) starts at step 1, and training ends at 1"):
        run(tmp_path / "views", steps=1, start=1, distillation=(*run.methods, ViewConsistency))


def test_a_resumed_run_has_the_relations_that_it_began_with(run, tmp_path):
    relations = run.methods[-1]
    run(tmp_path, steps=1, distillation=(relations,))
    with pytest.raises(ValueError, match=r"was trained with distillation\.0\.factors"):
        run(tmp_path, steps=1, distillation=(partial(relations, distance_weight=2.0),), resume=True)
