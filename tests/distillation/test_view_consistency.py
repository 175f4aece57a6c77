"""Two views of one image: how the second is made, how it is turned back, and who learns from whom."""

import numpy as np
import pytest
import torch
from factories import make_output, make_targets
from teacher_factories import SIZE, make_batch, make_student, total, write_teacher

from lanenet_sad.datasets.transforms import existence_of, flip_horizontally
from lanenet_sad.distillation import AttentionTransfer, KnowledgeDistillation, ViewConsistency
from lanenet_sad.distillation.agreement import existence_kl, prediction_kl
from lanenet_sad.distillation.view_consistency import mirrored, mirrored_output, mirrored_targets
from lanenet_sad.lanes.lane import IGNORE_INDEX
from lanenet_sad.losses import LaneLoss
from lanenet_sad.models import LaneNetOutput, LaneTargets
from lanenet_sad.models.interface import NetworkSpec
from lanenet_sad.training.learner import Learner

SPEC = NetworkSpec((16, 64, 128, 128), (2, 4, 8, 8))
STILL = {"brightness": 0.0, "contrast": 0.0, "noise": 0.0}


def joined(*outputs: LaneNetOutput) -> LaneNetOutput:
    fields = [torch.cat([one[k] for one in outputs]) for k in range(2)]
    return LaneNetOutput(*fields, ())


def extended(method, images=None, targets=None):
    default_images, default_targets = make_batch()
    return method.extend_batch(default_images if images is None else images, targets or default_targets)


@pytest.mark.parametrize("num_lanes", [1, 4, 5, 6])
def test_labels_are_mirrored_as_the_datasets_mirror_them(num_lanes):
    mask = np.random.default_rng(0).choice([*range(num_lanes + 1), IGNORE_INDEX], (6, 9)).astype(np.uint8)
    mask[mask == 1] = 0 if num_lanes > 1 else 1
    _, flipped = flip_horizontally(np.zeros((6, 9, 3), np.uint8), mask, num_lanes)
    targets = LaneTargets(torch.from_numpy(mask).long()[None], existence_of(mask, num_lanes)[None])
    turned = mirrored_targets(targets)
    assert torch.equal(turned.lane_mask[0], torch.from_numpy(flipped).long())
    assert torch.equal(turned.existence[0], existence_of(flipped, num_lanes))
    assert all(torch.equal(*pair) for pair in zip(mirrored_targets(turned), targets, strict=True))


def test_turning_an_output_back_is_its_own_inverse_and_fits_the_labels():
    targets = make_targets(2, SIZE)
    logits = torch.nn.functional.one_hot(targets.lane_mask, 5).movedim(-1, 1).float()
    output = LaneNetOutput(logits, targets.existence, ())
    turned = mirrored_output(output)
    assert torch.equal(turned.segmentation_logits.argmax(dim=1), mirrored_targets(targets).lane_mask)
    assert torch.equal(turned.existence_logits, mirrored_targets(targets).existence)
    assert torch.equal(mirrored_output(turned).segmentation_logits, logits)


@pytest.mark.parametrize("flip", [True, False])
def test_the_batch_is_doubled(flip):
    images, targets = make_batch()
    kept = images.clone()
    both, labels = ViewConsistency(SPEC, flip=flip, noise=0.3).extend_batch(images, targets)
    assert torch.equal(images, kept)
    assert torch.equal(both[:2], images)
    assert torch.equal(labels.lane_mask[:2], targets.lane_mask)
    second = mirrored_targets(targets) if flip else targets
    assert torch.equal(labels.lane_mask[2:], second.lane_mask)
    assert torch.equal(labels.existence[2:], second.existence)
    plain = mirrored(images) if flip else images
    for image, other in zip(both[2:], plain, strict=True):
        assert torch.corrcoef(torch.stack((image.flatten(), other.flatten())))[0, 1] > 0.9
        assert not torch.equal(image, other)


def test_what_changes_stays_in_its_range():
    images, targets = torch.randn(64, 3, 8, 8), make_targets(64, (8, 8))
    torch.manual_seed(0)
    brighter, _ = ViewConsistency(SPEC, flip=False, **(STILL | {"brightness": 0.4})).extend_batch(images, targets)
    shift = brighter[64:] - images
    torch.testing.assert_close(shift, shift[:, :1, :1, :1].expand_as(shift))
    assert 0.35 < float(shift.abs().max()) <= 0.4
    harder, _ = ViewConsistency(SPEC, flip=False, **(STILL | {"contrast": 0.2})).extend_batch(images, targets)
    stretch = harder[64:].flatten(1).std(dim=1) / images.flatten(1).std(dim=1)
    assert 0.8 <= float(stretch.min()) < 0.83
    assert 1.17 < float(stretch.max()) <= 1.2
    torch.testing.assert_close(harder[64:].mean(dim=(1, 2, 3)), images.mean(dim=(1, 2, 3)))
    noisy, _ = ViewConsistency(SPEC, flip=False, **(STILL | {"noise": 0.1})).extend_batch(images, targets)
    assert 0.08 < float((noisy[64:] - images).flatten(1).std(dim=1).max()) < 0.12


def test_the_second_view_follows_from_torchs_seed():
    method = ViewConsistency(SPEC)
    views = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        views.append(extended(method)[0])
    assert torch.equal(views[0], views[1])
    assert not torch.equal(views[0], views[2])


@pytest.mark.parametrize("flip", [True, False])
def test_zero_where_the_views_agree(flip):
    method = ViewConsistency(SPEC, flip=flip, existence_weight=1.0, symmetric=True)
    images, targets = extended(method)
    first = make_output(SPEC, size=SIZE)
    output = joined(first, mirrored_output(first) if flip else first)
    losses = method(images, output, targets)
    assert losses.keys() == method.imitation == {"view", "view_existence"}
    assert all(float(loss.detach()) == pytest.approx(0, abs=1e-7) for loss in losses.values())
    assert method.diagnostics(images, output, targets) == {"view_agreement": 1.0}
    other = make_output(SPEC, size=SIZE, seed=1)
    assert method.diagnostics(images, joined(first, other), targets)["view_agreement"] < 0.5


def test_the_losses_are_weighted_and_leave_out_ignored_pixels():
    method = ViewConsistency(SPEC, weight=0.5, existence_weight=0.2, temperature=2.0, lane_emphasis=3.0)
    images, targets = make_batch()
    targets.lane_mask[:, :, :5] = IGNORE_INDEX
    images, targets = extended(method, images, targets)
    first, second = (make_output(SPEC, size=SIZE, seed=seed) for seed in (0, 1))
    losses = method(images, joined(first, second), targets)
    valid = targets.lane_mask[:2] != IGNORE_INDEX
    back = mirrored_output(second)
    expected = 0.5 * prediction_kl(back, first, 2.0, valid=valid, lane_emphasis=3.0)
    torch.testing.assert_close(losses["view"], expected)
    torch.testing.assert_close(losses["view_existence"], 0.2 * existence_kl(back, first, 2.0))
    losses["view"].backward()
    assert not second.segmentation_logits.grad[..., -5:].any()
    assert second.segmentation_logits.grad[..., :-5].any()


@pytest.mark.parametrize("symmetric", [False, True])
def test_only_the_learning_view_gets_a_gradient(symmetric):
    method = ViewConsistency(SPEC, existence_weight=1.0, symmetric=symmetric)
    images, targets = extended(method)
    first, second = (make_output(SPEC, size=SIZE, seed=seed) for seed in (0, 1))
    total(method(images, joined(first, second), targets)).backward()
    for name in ("segmentation_logits", "existence_logits"):
        assert getattr(second, name).grad.any()
        assert bool(getattr(first, name).grad.any()) is symmetric


@pytest.mark.parametrize("scale", [1e3, 0.0], ids=str)
def test_finite_at_large_logits_and_at_none(scale):
    method = ViewConsistency(SPEC, existence_weight=1.0, symmetric=True)
    images, targets = extended(method)
    output = make_output(SPEC, batch=4, size=SIZE)
    scaled = LaneNetOutput(output.segmentation_logits * scale, output.existence_logits * scale, ())
    loss = total(method(images, scaled, targets))
    loss.backward()
    assert loss.isfinite()
    assert output.segmentation_logits.grad.isfinite().all()


def test_every_pixel_ignored_costs_nothing():
    method = ViewConsistency(SPEC)
    images, targets = make_batch()
    targets.lane_mask.fill_(IGNORE_INDEX)
    images, targets = extended(method, images, targets)
    assert float(method(images, make_output(SPEC, batch=4, size=SIZE), targets)["view"].detach()) == 0


def test_both_views_train_from_step_0_and_agreement_waits():
    torch.manual_seed(0)
    learner = Learner(make_student(), LaneLoss(), [ViewConsistency(SPEC)])
    images, targets = make_batch()
    early = learner(images, targets, 0.0)
    assert early.distillation == {}
    torch.manual_seed(5)
    two_views = learner(images, targets, 0.0)
    torch.manual_seed(5)
    both = learner.distillation[0].extend_batch(images, targets)
    torch.testing.assert_close(two_views.task, learner.loss(learner.network(both[0]), both[1]))
    full = learner(images, targets, 1.0, with_diagnostics=True)
    assert full.distillation.keys() == {"view"}
    assert 0 <= full.diagnostics["view_agreement"] <= 1
    full.total.backward()


def test_other_methods_see_the_larger_batch(tmp_path):
    weights, seen = write_teacher(tmp_path), []
    others = [method(SPEC, teacher_weights=weights) for method in (AttentionTransfer, KnowledgeDistillation)]
    student = make_student()
    student.register_forward_hook(lambda network, inputs, output: seen.append((inputs[0], output)))
    learner = Learner(student, LaneLoss(), [others[0], ViewConsistency(SPEC, **STILL), others[1]])
    images, targets = make_batch()
    losses = learner(images, targets, 1.0).distillation
    assert losses.keys() == {"view", "kd", "at_2_2", "at_3_3", "at_4_4"}
    ((batch, output),) = seen
    assert torch.equal(batch, torch.cat((images, mirrored(images))))
    targets = learner.distillation[1].extend_batch(images, targets)[1]
    torch.testing.assert_close(losses["kd"], others[1](batch, output, targets)["kd"])


def test_a_batch_that_is_extended_once_more():
    mirror, light = ViewConsistency(SPEC, **STILL), ViewConsistency(SPEC, flip=False)
    images, targets = extended(light, *extended(mirror))
    assert len(images) == 8
    outputs = [make_output(SPEC, size=SIZE, seed=seed) for seed in range(4)]
    valid = torch.ones(4, *SIZE, dtype=torch.bool)
    expected = prediction_kl(mirrored_output(outputs[1]), outputs[0], 1.0, valid=valid[:2], lane_emphasis=1.0)
    torch.testing.assert_close(mirror(images, joined(*outputs), targets)["view"], expected)
    expected = prediction_kl(joined(*outputs[2:]), joined(*outputs[:2]), 1.0, valid=valid, lane_emphasis=1.0)
    torch.testing.assert_close(light(images, joined(*outputs), targets)["view"], expected)


def test_it_has_no_parameters_and_needs_its_own_batch():
    method = ViewConsistency(SPEC)
    assert not method.state_dict()
    images, targets = make_batch()
    with pytest.raises(ValueError, match="a batch that extend_batch has doubled, got one for 2 images; call extend_"):
        method(images, make_output(SPEC, size=SIZE), targets)
    extended(method)
    with pytest.raises(ValueError, match="got one for 2 images"):
        method(images, make_output(SPEC, size=SIZE), targets)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": -1.0}, r" weight: expected 0 or more, got -1.0"),
        ({"noise": -1.0}, r" noise: expected 0 or more, got -1.0"),
        ({"contrast": 1.0}, r" contrast: expected less than 1, got 1.0"),
        ({"temperature": 0.0}, r" temperature: expected more than 0, got 0.0"),
        ({"flip": False, **STILL}, r": the two views would be equal; set flip, brightness, contrast or noise"),
    ],
    ids=str,
)
def test_bad_settings_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"ViewConsistency{message}"):
        ViewConsistency(SPEC, **arguments)
