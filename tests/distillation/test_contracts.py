"""What every distillation method promises, on every encoder."""

import copy

import pytest
import torch
from factories import make_targets
from teacher_factories import write_teacher

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
from lanenet_sad.losses import LaneLoss
from lanenet_sad.models import LaneNetOutput, enet, erfnet, resnet
from lanenet_sad.models.interface import LaneTargets
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


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    return write_teacher(tmp_path_factory.mktemp("teacher"))


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.slow] * (name in LARGE), id=name) for name in NETWORKS],
)
def network(request):
    torch.manual_seed(0)
    return NETWORKS[request.param]()


@pytest.fixture(scope="module")
def batch():
    images = torch.randn(2, 3, *SIZE, generator=torch.Generator().manual_seed(3))
    return images, make_targets(2, SIZE)


@pytest.fixture(params=METHODS)
def method(request, network, teacher):
    torch.manual_seed(1)
    arguments = {"teacher_weights": teacher} if request.param in TAUGHT else {}
    return METHODS[request.param](network.spec, **arguments)


def run(network, method, batch) -> tuple[torch.Tensor, LaneNetOutput, LaneTargets]:
    images, targets = method.extend_batch(*batch)
    network.train()
    return images, network(images), targets


def scaled(output: LaneNetOutput, factor: float) -> LaneNetOutput:
    """The output, times a factor, as leaves that collect a gradient."""
    logits, existence, *features = (
        (factor * value.detach()).requires_grad_()
        for value in (output.segmentation_logits, output.existence_logits, *output.features)
    )
    return LaneNetOutput(logits, existence, tuple(features))


def test_a_step_trains_the_encoder_and_every_layer_of_the_method(network, method, batch):
    network.zero_grad()
    images, output, targets = run(network, method, batch)
    losses = method(images, output, targets)
    assert losses
    assert all(value.shape == () and bool(torch.isfinite(value)) for value in losses.values())
    assert method.imitation <= losses.keys()
    torch.stack(list(losses.values())).sum().backward()
    reached = [p.grad for p in network.encoder.parameters() if p.grad is not None]
    assert reached
    assert all(bool(torch.isfinite(gradient).all()) for gradient in reached)
    assert sum(float(gradient.abs().sum()) for gradient in reached) > 0
    idle = [name for name, p in method.named_parameters() if p.requires_grad and p.grad is None]
    assert not idle


def test_before_the_schedules_start_there_is_no_imitation(network, method, batch):
    images, output, targets = run(network, method, batch)
    early = method(images, output, targets, imitate=False)
    assert not early.keys() & method.imitation
    assert bool(early) == method.has_label_losses


def test_losses_and_gradients_are_finite_for_huge_activations(network, method, batch):
    images, output, targets = run(network, method, batch)
    huge = scaled(output, 1e3)
    torch.stack(list(method(images, huge, targets).values())).sum().backward()
    gradients = [each.grad for each in (huge.segmentation_logits, *huge.features) if each.grad is not None]
    assert gradients
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)


def test_the_network_is_left_as_it_is(network, method, batch):
    before = copy.deepcopy(network.state_dict())
    learner = Learner(network, LaneLoss(), [method])
    network.eval()
    learner(*batch, 1.0).total.backward()
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
