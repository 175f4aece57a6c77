import pytest
import torch
from factories import make_targets

from lanenet_sad.distillation import SelfAttentionDistillation
from lanenet_sad.losses import LaneLoss
from lanenet_sad.models import enet
from lanenet_sad.training.learner import Learner


def make_learner(**options) -> tuple[Learner, torch.Tensor]:
    torch.manual_seed(0)
    network = enet(num_lanes=4, dropout=0.0)
    learner = Learner(network, LaneLoss(), [SelfAttentionDistillation(network.encoder.spec, **options)])
    return learner, torch.randn(2, 3, 32, 64)


TARGETS = make_targets(2, (32, 64))


def test_before_its_start_distillation_is_neither_computed_nor_added():
    learner, images = make_learner()
    learner.distillation[0].forward = None  # a call would raise
    losses = learner(images, TARGETS, 0.0)
    assert losses.distillation == {}
    torch.testing.assert_close(losses.total, sum(losses.task.values()))


def test_the_ramp_scales_what_is_added():
    learner, images = make_learner()
    half, full = learner(images, TARGETS, 0.5), learner(images, TARGETS, 1.0)
    assert full.distillation.keys() == {"sad_2_3", "sad_3_4"}
    for name, value in full.distillation.items():
        torch.testing.assert_close(half.distillation[name] * 2, value, rtol=1e-3, atol=1e-7)
    torch.testing.assert_close(full.total, sum([*full.task.values(), *full.distillation.values()]))


def test_gradients_with_distillation_off_are_those_of_the_task_alone():
    with_method, images = make_learner()
    without = Learner(with_method.network, with_method.loss)
    gradients = []
    for learner in (with_method, without):
        learner.zero_grad()
        torch.manual_seed(1)  # of the existence head's dropout
        learner(images, TARGETS, 0.0).total.backward()
        gradients.append([p.grad.clone() for p in learner.network.parameters() if p.grad is not None])
    for one, other in zip(*gradients, strict=True):
        assert torch.equal(one, other)


def test_diagnostics_tell_a_living_sad_from_a_dead_one():
    shares = {}
    for name, options in {
        "alive": {"normalization": "l2"},
        "saturated": {"normalization": "softmax"},
    }.items():
        learner, images = make_learner(**options)
        diagnostics = learner(images, TARGETS, 1.0, with_diagnostics=True).diagnostics
        shares[name] = diagnostics["distillation_gradient_share"]
    assert shares["alive"] > 1e-3
    assert shares["saturated"] < 1e-6


def test_diagnostics_leave_the_gradients_alone():
    learner, images = make_learner()
    assert learner(images, TARGETS, 1.0, with_diagnostics=True).diagnostics
    assert all(p.grad is None for p in learner.parameters())


@pytest.mark.parametrize("scale", [pytest.param(0.0, marks=pytest.mark.slow), 1.0])
def test_one_batch_can_be_learnt_by_heart(scale):
    learner, images = make_learner()
    optimizer = torch.optim.AdamW(learner.parameters(), lr=5e-3)
    first = float(learner(images, TARGETS, scale).total.detach())
    for _ in range(30):
        optimizer.zero_grad()
        losses = learner(images, TARGETS, scale)
        losses.total.backward()
        optimizer.step()
    assert float(losses.total.detach()) < 0.5 * first


def test_two_losses_of_one_name_are_refused():
    _, images = make_learner()
    network = enet(num_lanes=4)
    twins = [SelfAttentionDistillation(network.spec), SelfAttentionDistillation(network.spec, mimic_paths=((2, 3),))]
    with pytest.raises(ValueError, match="two methods have a loss 'sad_2_3'"):
        Learner(network, LaneLoss(), twins)(images, TARGETS, 1.0)


def test_support_is_logged_without_distillation_too_and_equals_that_of_sad():
    learner, images = make_learner()
    with_sad = learner(images, TARGETS, 1.0, with_diagnostics=True).diagnostics
    plain = Learner(learner.network, LaneLoss())(images, TARGETS, 0.0, with_diagnostics=True).diagnostics
    assert plain.keys() == {f"support_{block}" for block in (1, 2, 3, 4)}
    assert all(1 <= support <= 16 * 32 for support in plain.values())
    sad = learner.distillation[0].diagnostics(images, learner.network(images), TARGETS)
    for block in (2, 3, 4):
        assert sad[f"support_{block}"] == pytest.approx(with_sad[f"support_{block}"], rel=1e-4)
