"""KD by hand and against the goldens, and what it refuses."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from factories import make_output, make_targets
from teacher_factories import SIZE, as_leaves, kept_teacher, make_batch, make_student, write_teacher

from lanenet_sad.distillation import KnowledgeDistillation
from lanenet_sad.distillation.agreement import existence_kl, lane_agreement, prediction_kl
from lanenet_sad.lanes.lane import IGNORE_INDEX
from lanenet_sad.models import LaneNetOutput
from lanenet_sad.models.interface import NetworkSpec

SPEC = NetworkSpec((16, 64, 128, 128), (2, 4, 8, 8))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = write_teacher(tmp_path_factory.mktemp("teacher"))
    with kept_teacher(path):
        yield path


def pair(dtype=torch.float64, size=SIZE):
    return tuple(make_output(SPEC, size=size, seed=seed, dtype=dtype) for seed in (0, 1))


@pytest.mark.parametrize("temperature", [1, 4, 20])
def test_goldens_with_a_pixel_for_each_image(shared, temperature):
    golden = np.load(shared / "goldens" / "distillation" / "kd_rel.npz")
    student, teacher = (
        LaneNetOutput(torch.from_numpy(golden[f"in_{side}"]).T[None, :, None], torch.zeros(1, 4), ()) for side in "st"
    )
    valid = torch.ones(1, 1, 6, dtype=torch.bool)
    loss = prediction_kl(student, teacher, temperature, valid=valid, lane_emphasis=0.0)
    np.testing.assert_allclose(loss, golden[f"hinton_kl_T{temperature}_x_T2"], rtol=1e-9)


@pytest.mark.parametrize("lane_emphasis", [0.0, 3.0])
def test_pixels_count_by_what_the_teacher_sees_there(lane_emphasis):
    student, teacher = pair()
    valid = torch.ones(2, *SIZE, dtype=torch.bool)
    valid[:, :7] = False
    probs = [(one.segmentation_logits.detach() / 2).softmax(dim=1) for one in (teacher, student)]
    divergence = (probs[0] * (probs[0] / probs[1]).log()).sum(dim=1)
    weight = 1 + lane_emphasis * teacher.segmentation_logits.detach().softmax(dim=1)[:, 1:].sum(dim=1)
    expected = 4 * (divergence * weight)[valid].sum() / weight[valid].sum()
    loss = prediction_kl(student, teacher, 2.0, valid=valid, lane_emphasis=lane_emphasis)
    torch.testing.assert_close(loss.detach(), expected)
    loss.backward()
    assert not student.segmentation_logits.grad[:, :, :7].any()
    assert student.segmentation_logits.grad[:, :, 7:].any()
    assert teacher.segmentation_logits.grad is None


def test_existence_is_a_choice_of_two():
    student, teacher = pair()
    soft = [(one.existence_logits.detach() / 3).sigmoid() for one in (student, teacher)]
    expected = F.binary_cross_entropy(*soft) - F.binary_cross_entropy(soft[1], soft[1])
    loss = existence_kl(student, teacher, 3.0)
    torch.testing.assert_close(loss.detach(), 9 * expected)
    loss.backward()
    assert student.existence_logits.grad.any()
    assert teacher.existence_logits.grad is None


def test_the_losses_are_weighted_and_named(weights):
    student, (images, targets) = make_student(), make_batch()
    targets.lane_mask[:, :4] = IGNORE_INDEX
    output = as_leaves(student(images))
    method = KnowledgeDistillation(
        SPEC, teacher_weights=weights, kd_weight=0.5, existence_weight=0.2, temperature=2.0, lane_emphasis=3.0
    )
    losses = method(images, output, targets)
    taught = method.teacher(images)
    valid = targets.lane_mask != IGNORE_INDEX
    assert losses.keys() == {"kd", "kd_existence"}
    torch.testing.assert_close(losses["kd"], 0.5 * prediction_kl(output, taught, 2.0, valid=valid, lane_emphasis=3.0))
    torch.testing.assert_close(losses["kd_existence"], 0.2 * existence_kl(output, taught, 2.0))
    plain = KnowledgeDistillation(SPEC, teacher_weights=weights)(images, output, targets)
    assert plain.keys() == {"kd"}
    torch.testing.assert_close(plain["kd"], prediction_kl(output, taught, 1.0, valid=valid, lane_emphasis=9.0))


def test_agreement_counts_pixels_that_either_gives_to_a_lane():
    masks = torch.tensor([[[0, 1, 2, 2, 0]], [[0, 1, 1, 0, 3]]])
    one, other = (
        LaneNetOutput(F.one_hot(mask, 5).movedim(-1, 0)[None].float(), torch.zeros(1, 4), ()) for mask in masks
    )
    valid = torch.ones(1, 1, 5, dtype=torch.bool)
    assert lane_agreement(one, other, valid) == 0.25
    valid[..., 4] = False
    assert lane_agreement(one, other, valid) == pytest.approx(1 / 3)
    assert lane_agreement(one, other, valid & False) == 1.0


def test_diagnostics_tell_where_student_and_teacher_agree(weights):
    method = KnowledgeDistillation(SPEC, teacher_weights=weights)
    images, targets = make_batch()
    assert method.diagnostics(images, method.teacher(images), targets) == {"kd_agreement": 1.0}
    assert method.diagnostics(images, make_output(SPEC, size=SIZE), make_targets(2, SIZE))["kd_agreement"] < 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kd_weight": -1.0}, r"kd_weight: expected 0 or more, got -1.0"),
        ({"existence_weight": -1.0}, r"existence_weight: expected 0 or more, got -1.0"),
        ({"lane_emphasis": -1.0}, r"lane_emphasis: expected 0 or more, got -1.0"),
        ({"temperature": 0.0}, r"temperature: expected more than 0, got 0.0"),
    ],
    ids=str,
)
def test_bad_settings_are_refused(weights, arguments, message):
    with pytest.raises(ValueError, match=f"KnowledgeDistillation {message}"):
        KnowledgeDistillation(SPEC, teacher_weights=weights, **arguments)
