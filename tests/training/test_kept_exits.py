"""A run's files hold the exits that its methods train, averaged as the network is."""

from functools import partial

import pytest
import torch
from exit_factories import make_network_with_exits
from factories import write_culane_root

from lanenet_sad.datasets.transforms import TrainTransform
from lanenet_sad.distillation import BeYourOwnTeacher, DeepSupervision, SelfAttentionDistillation
from lanenet_sad.lanes.view import InputView
from lanenet_sad.losses import LaneLoss
from lanenet_sad.models import enet
from lanenet_sad.models.exits import state_with_exits
from lanenet_sad.models.weights import load_exits, load_weights
from lanenet_sad.train import Cadence, Runtime, train
from lanenet_sad.training.ema import WeightAverage
from lanenet_sad.training.learner import Learner
from lanenet_sad.training.schedule import Schedule


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_culane_root(tmp_path_factory.mktemp("culane"))


def narrow_exits(spec):
    return BeYourOwnTeacher(spec, width=8)


def run(root, out, *, steps=3, method=narrow_exits, **options):
    torch.manual_seed(0)
    settings = {
        "model": enet(activation="relu"),
        "view": InputView((32, 64), aspect=2.5),
        "distillation": [method],
        "optimizer": lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9),
        "augmentation": TrainTransform,
        "schedule": Schedule(max_steps=steps),
        "val_split": None,
        "batch_size": 2,
        "cadence": Cadence(log_every=2, checkpoint_every=2, keep_states=(2,)),
        "runtime": Runtime(accelerator="cpu", num_workers=0, progress=False),
    }
    return train(benchmark="culane", root=root, out=out, **{**settings, **options})


@pytest.mark.parametrize("ema_decay", [pytest.param(None, marks=pytest.mark.slow, id="plain"), 0.9])
def test_best_and_last_hold_the_same_exits(root, tmp_path, ema_decay):
    run(root, tmp_path / "run", ema_decay=ema_decay)
    best, last = (load_exits(tmp_path / "run" / name) for name in ("best.safetensors", "last.pt"))
    assert best.card.exits == last.card.exits == {2: 8, 3: 8}
    ours, theirs = (state_with_exits(found.network, found.exits) for found in (best, last))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    for block in (2, 3):
        small = load_weights(tmp_path / "run" / "last.pt", exit=block)[0].eval()
        images = torch.randn(1, 3, 32, 64)
        found = best.exits[block](best.network(images).features)
        assert torch.equal(small(images).segmentation_logits, found.segmentation_logits)
    trained = torch.load(tmp_path / "run" / "last.pt", weights_only=True)["distillation"]
    same = torch.equal(trained["0.heads.2.decoder.classify.weight"], ours["exits.2.decoder.classify.weight"])
    assert same == (ema_decay is None)


@pytest.mark.parametrize("ema_decay", [pytest.param(None, marks=pytest.mark.slow, id="plain"), 0.9])
def test_a_resumed_run_ends_with_the_same_exits(root, tmp_path, ema_decay):
    run(root, tmp_path / "whole", ema_decay=ema_decay)
    (tmp_path / "parts").mkdir()
    (tmp_path / "whole" / "state_2.pt").rename(tmp_path / "parts" / "last.pt")
    run(root, tmp_path / "parts", ema_decay=ema_decay, resume=True)
    whole, parts = (load_exits(tmp_path / name / "last.pt") for name in ("whole", "parts"))
    theirs = state_with_exits(parts.network, parts.exits)
    assert all(torch.equal(each, theirs[name]) for name, each in state_with_exits(whole.network, whole.exits).items())


def test_a_state_from_before_exits_were_averaged_goes_on(root, tmp_path):
    run(root, tmp_path / "run", ema_decay=0.9)
    path = tmp_path / "run" / "state_2.pt"
    content = torch.load(path, weights_only=True)
    del content["exits"]
    content["ema"] = {name: value for name, value in content["ema"].items() if not name.startswith("exits.")}
    torch.save(content, tmp_path / "run" / "last.pt")
    run(root, tmp_path / "run", ema_decay=0.9, resume=True)
    assert set(load_exits(tmp_path / "run" / "last.pt").exits) == {2, 3}


def test_an_average_follows_the_exits_too():
    network, exits = make_network_with_exits((2,))
    average = WeightAverage(network, 0.5, exits)
    before = average.state["exits.2.decoder.classify.bias"].clone()
    torch.nn.init.constant_(exits[2].decoder.classify.bias, 3.0)
    average.update(network, step=1000)
    torch.testing.assert_close(average.state["exits.2.decoder.classify.bias"], (before + 3) / 2)
    assert "exits.2.existence_head.decide.0.weight" in average.state


def test_a_learner_has_the_exits_of_its_methods_the_first_ones_where_two_have_one():
    network = enet()
    own, deep = BeYourOwnTeacher(network.spec), DeepSupervision(network.spec, blocks=(3, 4))
    methods = [SelfAttentionDistillation(network.spec), own, deep]
    exits = Learner(network, LaneLoss(), methods).exits()
    assert exits == {2: own.exits()[2], 3: own.exits()[3], 4: deep.exits()[4]}


def test_supervision_that_waits_cannot_go_on_from_a_run_without_its_heads(root, tmp_path):
    plain = {"distillation": [], "schedule": Schedule(max_steps=3, distillation_start=2)}
    run(root, tmp_path / "run", **plain)
    (tmp_path / "run" / "state_2.pt").rename(tmp_path / "run" / "last.pt")
    late = partial(DeepSupervision, wait_for_schedule=True)
    with pytest.raises(ValueError, match=r"was trained with distillation \[\], not \['DeepSupervision'\]"):
        run(root, tmp_path / "run", method=late, schedule=plain["schedule"], resume=True)
