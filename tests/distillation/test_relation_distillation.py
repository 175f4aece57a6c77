"""Lane regions, the relations between them, and what is refused."""

import pytest
import torch
from factories import make_output
from teacher_factories import SIZE, kept_teacher, make_batch, write_teacher

from lanenet_sad.distillation import RelationDistillation
from lanenet_sad.distillation.relation_distillation import region_means
from lanenet_sad.lanes.lane import IGNORE_INDEX
from lanenet_sad.losses.relations import (
    angle_relation_loss,
    distance_relation_loss,
    flow_matrix,
    flow_relation_loss,
    similarity_relation_loss,
)
from lanenet_sad.models.interface import NetworkSpec

SPEC = NetworkSpec((16, 64, 128, 128), (2, 4, 8, 8))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = write_teacher(tmp_path_factory.mktemp("teacher"))
    with kept_teacher(path):
        yield path


def test_region_means_by_hand():
    mask = torch.zeros(2, 4, 8, dtype=torch.int64)
    mask[0, :, 0] = 2  # half of the first column of 2x2 cells
    mask[0, 2:, 4:6] = 1  # one whole cell
    mask[0, :2, 6:] = IGNORE_INDEX
    mask[1] = IGNORE_INDEX
    feature = torch.arange(16.0).view(2, 1, 2, 4)
    feature = torch.cat((feature, -feature), dim=1)
    (means,) = region_means([feature], mask, num_lanes=3)
    # background: cells 1, 2, 5, 7 of image 0; lane 1: cell 6; lane 2: cells 0 and 4; lane 3 and image 1: nothing
    assert means.tolist() == [[3.75, -3.75], [6.0, -6.0], [2.0, -2.0]]


def test_a_margin_widens_lanes_and_takes_from_the_background():
    mask = torch.zeros(1, 2, 10, dtype=torch.int64)
    mask[0, :, 4:6] = 1
    feature = torch.arange(5.0).view(1, 1, 1, 5).expand(1, 1, 1, 5)
    assert region_means([feature], mask, 1, margin=0)[0][:, 0].tolist() == [2.0, 2.0]
    feature = feature * torch.tensor([1.0, 1.0, 1.0, 1.0, 3.0])
    assert region_means([feature], mask, 1, margin=1)[0][:, 0].tolist() == [6.0, 2.0]


def crossed_mask(size):
    """A lane in every eighth column of image 0, which at 1/8, widened, leave no background; image 1 has one lane."""
    mask = torch.zeros(2, *size, dtype=torch.int64)
    mask[0, :, ::8] = 1
    mask[1, :, :4] = 1
    return mask


def test_regions_are_those_that_every_feature_shows():
    fine, coarse = torch.ones(2, 1, 8, 16), torch.ones(2, 3, 4, 8)
    mask = crossed_mask((32, 64))
    assert len(region_means([fine], mask, 1, margin=0)[0]) == 4
    means = region_means([fine, coarse], mask, 1, margin=1)
    assert [tuple(one.shape) for one in means] == [(3, 1), (3, 3)]  # without the background of image 0


def test_a_finer_student_is_compared_in_the_same_regions(weights):
    images, targets = make_batch()
    targets = targets._replace(lane_mask=crossed_mask(SIZE))
    method = RelationDistillation(SPEC, teacher_weights=weights, pairs=((2, 4),), similarity_weight=1.0)
    losses = method(images, make_output(SPEC, size=SIZE), targets)
    assert all(bool(loss.isfinite()) and loss > 0 for loss in losses.values())


def test_the_losses_are_those_of_the_regions(weights):
    images, targets = make_batch()
    method = RelationDistillation(
        SPEC,
        teacher_weights=weights,
        pairs=((2, 4),),
        weight=0.5,
        similarity_weight=3.0,
        flow_weight=4.0,
        margin=0,
    )
    output, taught = make_output(SPEC, size=SIZE), method.teacher(images)
    student, teacher = region_means((output.features[1], taught.features[3]), targets.lane_mask, 4)
    assert (student.shape, teacher.shape) == ((8, 64), (8, 128))  # two images, background and three lanes
    flows = [
        flow_matrix(torch.nn.functional.avg_pool2d(one.features[1], 2), one.features[2]) for one in (output, taught)
    ]
    expected = {
        "relation_distance_2_4": 0.5 * distance_relation_loss(student, teacher),
        "relation_angle_2_4": 0.5 * 2 * angle_relation_loss(student, teacher),
        "relation_similarity_2_4": 0.5 * 3 * similarity_relation_loss(student, teacher),
        "relation_flow_2_3": 0.5 * 4 * flow_relation_loss(*flows),
    }
    losses = method(images, output, targets)
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value)


def test_what_has_no_weight_is_not_computed(weights):
    method = RelationDistillation(
        SPEC, teacher_weights=weights, distance_weight=0.0, angle_weight=0.0, similarity_weight=1.0
    )
    images, targets = make_batch()
    assert method(images, make_output(SPEC, size=SIZE), targets).keys() == {"relation_similarity_4_4"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight": -1.0}, r" weight: expected 0 or more, got -1.0"),
        ({"angle_weight": -1.0}, r" angle_weight: expected 0 or more, got -1.0"),
        ({"margin": -1}, r" margin: expected 0 or more, got -1"),
        ({"distance_weight": 0.0, "angle_weight": 0.0}, r": expected a relation with a weight above 0, got none"),
        ({"flow_weight": 1.0, "flow_blocks": (3, 2)}, r" flow_blocks: expected \(shallow, deep\), got \(3, 2\)"),
        ({"flow_weight": 1.0, "flow_blocks": (2, 5)}, r" flow_blocks \(2, 5\): the student has blocks 1 to 4, not 5"),
    ],
    ids=str,
)
def test_bad_settings_are_refused(weights, arguments, message):
    with pytest.raises(ValueError, match=f"RelationDistillation{message}"):
        RelationDistillation(SPEC, teacher_weights=weights, **arguments)


def test_flow_needs_the_teachers_widths(weights):
    spec = NetworkSpec((16, 32, 128, 128), (2, 4, 8, 8))
    RelationDistillation(spec, teacher_weights=weights)
    with pytest.raises(ValueError, match=r"block 2 has 32 channels in the student and 64 in the teacher"):
        RelationDistillation(spec, teacher_weights=weights, flow_weight=1.0)
