"""What every distillation method promises, on every encoder."""

import copy
from typing import NamedTuple

import pytest
import torch
from factories import make_targets
from teacher_factories import Passer, as_leaves, make_student, total, write_teacher

from lanenet_sad.distillation import (
    AttentionTransfer,
    BeYourOwnTeacher,
    DeepSupervision,
    FeatureRefinement,
    KnowledgeDistillation,
    RelationDistillation,
    SelfAttentionDistillation,
    ViewConsistency,
)
from lanenet_sad.distillation.teacher import frozen_teacher
from lanenet_sad.distillation.view_consistency import mirrored_output
from lanenet_sad.losses import LaneLoss
from lanenet_sad.models import LaneNetOutput, enet, erfnet, resnet
from lanenet_sad.models.interface import LaneTargets
from lanenet_sad.models.lanenet import LaneNet
from lanenet_sad.training.learner import Learner

SIZE = (32, 64)
NETWORKS = {
    "enet": lambda: enet(dropout=0.0),
    "enet port": lambda: enet(layout="port", dropout=0.0),
    "resnet18": lambda: resnet(depth=18, dropout=0.0),
    "resnet34": lambda: resnet(depth=34, dropout=0.0),
    "resnet50": lambda: resnet(depth=50, dropout=0.0),
    "resnet101": lambda: resnet(depth=101, dropout=0.0),
    "erfnet": lambda: erfnet(dropout=0.0),
}
# Deeper ones of a kind differ in nothing that a method sees but the channels of R-50.
LARGE = {"resnet34", "resnet50", "resnet101"}
METHODS = {
    "SAD": SelfAttentionDistillation,
    "deep supervision": DeepSupervision,
    "BYOT": BeYourOwnTeacher,
    "FRSKD": FeatureRefinement,
    "AT": AttentionTransfer,
    "KD": KnowledgeDistillation,
    "relations": RelationDistillation,
    "views": ViewConsistency,
}
TAUGHT = {"AT", "KD", "relations"}
# The blocks that get a gradient, 0 for the segmentation logits. What is not here is a target, or not read at all.
PROMISED = {
    "SAD": {2, 3},
    "deep supervision": {2, 3},
    "BYOT": {2, 3},
    "FRSKD": {0, 2, 3, 4},
    "AT": {2, 3, 4},
    "KD": {0},
    "relations": {4},
    "views": {0},
}


class Step(NamedTuple):
    """What a training step leaves behind."""

    task: dict[str, torch.Tensor]
    state: dict[str, torch.Tensor]
    gradients: dict[str, torch.Tensor]  # of the encoder


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A weight file; as long as someone else holds its network too, it is read once and remembers what it said."""
    path = write_teacher(tmp_path_factory.mktemp("teacher"))
    holder = Passer()
    frozen = frozen_teacher(path, make_student().spec, holder=holder)
    before = copy.deepcopy(frozen._network.state_dict())
    yield path
    network = frozen._network
    assert not network.training
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.slow] * (name in LARGE), id=name) for name in NETWORKS],
)
def network(request) -> LaneNet:
    torch.manual_seed(0)
    return NETWORKS[request.param]().train()


@pytest.fixture(scope="module")
def batch():
    images = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(3))
    return images, make_targets(2, SIZE)


@pytest.fixture(scope="module")
def before(network):
    return copy.deepcopy(network.state_dict())


@pytest.fixture(scope="module")
def said(network, before, batch):
    """What the network says in training about a batch, and about one of twice the size, by size."""
    with torch.no_grad():
        outputs = {2: network(batch[0]), 4: network(torch.cat((batch[0], batch[0].flip(0))))}
    network.load_state_dict(before)
    return outputs


def step(network, batch, methods) -> Step:
    network.zero_grad()
    torch.manual_seed(2)  # of the dropout before the existence head
    losses = Learner(network, LaneLoss(), methods)(*batch, 1.0)
    losses.total.backward()
    gradients = {name: p.grad.clone() for name, p in network.encoder.named_parameters() if p.grad is not None}
    return Step(losses.task, copy.deepcopy(network.state_dict()), gradients)


@pytest.fixture(scope="module")
def alone(network, before, batch) -> Step:
    """A step without distillation."""
    taken = step(network, batch, [])
    network.load_state_dict(before)
    return taken


@pytest.fixture(params=METHODS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def method(kind, network, teacher):
    torch.manual_seed(1)
    return METHODS[kind](network.spec, **({"teacher_weights": teacher} if kind in TAUGHT else {}))


def run(method, batch, said, factor: float = 1.0) -> tuple[torch.Tensor, LaneNetOutput, LaneTargets]:
    """The method's batch, and what the network said, times a factor, as leaves that collect a gradient."""
    images, targets = method.extend_batch(*batch)
    return images, as_leaves(said[len(images)], factor), targets


def reached(output: LaneNetOutput) -> dict[int, torch.Tensor]:
    """The gradients that are not 0, by block, 0 for the segmentation logits."""
    gradients = [leaf.grad for leaf in (output.segmentation_logits, *output.features)]
    return {block: each for block, each in enumerate(gradients) if each is not None and bool(each.any())}


def test_gradients_reach_what_is_promised_and_every_layer_of_the_method(kind, method, batch, said):
    images, output, targets = run(method, batch, said)
    losses = method(images, output, targets)
    assert losses
    assert all(value.shape == () and bool(torch.isfinite(value)) for value in losses.values())
    assert method.imitation <= losses.keys()
    total(losses).backward()
    gradients = reached(output)
    assert gradients.keys() == PROMISED[kind]
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients.values())
    assert not [name for name, p in method.named_parameters() if p.requires_grad and p.grad is None]


def test_before_the_schedules_start_there_is_no_imitation(method, batch, said):
    images, output, targets = run(method, batch, said)
    early = method(images, output, targets, imitate=False)
    assert not early.keys() & method.imitation
    assert bool(early) == method.has_label_losses


def test_losses_and_gradients_are_finite_for_huge_activations(method, batch, said):
    images, output, targets = run(method, batch, said, 1e3)
    losses = method(images, output, targets)
    total(losses).backward()
    assert bool(total(losses).isfinite())
    gradients = [leaf.grad for leaf in (output.segmentation_logits, *output.features) if leaf.grad is not None]
    assert gradients
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)


@pytest.mark.parametrize("kind", ["SAD", *sorted(TAUGHT), "views"], indirect=True)
def test_zero_on_agreement(kind, method, batch, said):
    """FRSKD and BYOT have labels as well, and tests of their own."""
    images, output, targets = run(method, batch, said)
    if kind in TAUGHT:
        agreed = method.teacher(images)
    elif kind == "views":
        first = LaneNetOutput(output.segmentation_logits[:2], output.existence_logits[:2], ())
        second = mirrored_output(first)
        agreed = LaneNetOutput(*(torch.cat(pair) for pair in zip(first[:2], second[:2], strict=True)), ())
    else:
        agreed = output._replace(features=tuple(torch.ones_like(feature) for feature in output.features))
    losses, other = method(images, agreed, targets), method(images, output, targets)
    assert losses.keys() == other.keys()
    for name, loss in losses.items():
        assert other[name].detach() > 0
        assert float(loss.detach()) == pytest.approx(0, abs=1e-5 * float(other[name].detach()))


def test_a_step_adds_gradients_to_the_encoder_and_else_leaves_the_network_as_it_is(
    kind, network, before, method, batch, alone
):
    found = step(network, batch, [method])
    network.load_state_dict(before)
    assert network.training
    parameters = dict(network.named_parameters())
    for name, value in found.state.items():
        # The second views are images of their own for the batch normalisations and the task.
        if name in parameters or kind != "views":
            assert torch.equal(value, alone.state[name]), name
    if kind != "views":
        assert all(torch.equal(value, alone.task[name]) for name, value in found.task.items())
    assert all(bool(gradient.isfinite().all()) for gradient in found.gradients.values())
    added = [not torch.equal(gradient, alone.gradients[name]) for name, gradient in found.gradients.items()]
    assert any(added)
