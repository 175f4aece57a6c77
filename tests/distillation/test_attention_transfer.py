"""AT against the goldens, and what it refuses."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from teacher_factories import kept_teacher, make_batch, make_student, total, write_teacher

from lanenet_sad.distillation import AttentionTransfer, ViewConsistency, attention_map, map_distance, normalize_map
from lanenet_sad.losses import LaneLoss, segmentation_cross_entropy
from lanenet_sad.models import LaneNetOutput
from lanenet_sad.models.interface import NetworkSpec
from lanenet_sad.models.weights import load_weights
from lanenet_sad.training.learner import Learner

TOLERANCES = [(torch.float64, {"rtol": 1e-9, "atol": 1e-12}), (torch.float32, {"rtol": 2e-5, "atol": 1e-7})]


@pytest.fixture(scope="module")
def golden(shared):
    return np.load(shared / "goldens" / "distillation" / "sad_attention.npz")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = write_teacher(tmp_path_factory.mktemp("teacher"))
    with kept_teacher(path):
        yield path


def build(weights, **options):
    return AttentionTransfer(make_student().spec, teacher_weights=weights, **options)


class Said:
    """A teacher whose features are given."""

    spec = NetworkSpec((8,), (8,))

    def __init__(self, *features):
        self.features = features

    def __call__(self, images):
        return SimpleNamespace(features=self.features)


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES, ids=str)
@pytest.mark.parametrize("form", ["code", "paper"])
def test_activation_goldens(golden, weights, form, dtype, tolerance):
    student, teacher = (torch.from_numpy(golden[f"in_{name}"]).to(dtype) for name in ("f2", "f3"))
    method = build(weights, form=form, weight=1.0, pairs=((1, 1),))
    method.teacher = Said(teacher)
    output = LaneNetOutput(torch.zeros(2, 5, 1, 1), torch.zeros(2, 4), (student,))
    np.testing.assert_allclose(method(None, output, None)["at_1_1"], golden[f"at_{form}_f2_f3"], **tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES, ids=str)
def test_gradient_goldens(golden, weights, dtype, tolerance):
    student, teacher = (torch.from_numpy(golden[f"in_grad{side}"]).to(dtype) for side in "ST")
    maps = [attention_map(gradient, "sum", 1) for gradient in (student, teacher)]
    for block_map, side in zip(maps, "ST", strict=True):
        np.testing.assert_allclose(block_map, golden[f"gradatt_sum_p1_{side}"], **tolerance)
    raw, normalized = (build(weights, mode="gradient", form=form)._distance(*maps) for form in ("paper", "code"))
    np.testing.assert_allclose(raw * len(student), golden["gradatt_l2sq_raw_half"], **tolerance)
    np.testing.assert_allclose(normalized * maps[0][0].numel(), golden["gradatt_l2norm_batchmean"], **tolerance)


def test_defaults_are_the_documented_ones(weights):
    student, (images, targets) = make_student(), make_batch()
    teacher, _ = load_weights(weights)
    output, taught = student(images), teacher(images)
    losses = build(weights)(images, output, targets)
    assert losses.keys() == {"at_2_2", "at_3_3", "at_4_4"}
    for block in (2, 3, 4):
        maps = [normalize_map(attention_map(one.features[block - 1])) for one in (output, taught)]
        torch.testing.assert_close(losses[f"at_{block}_{block}"], 1000 * map_distance(*maps, "mean"))
    paper = build(weights, form="paper")(images, output, targets)
    norms = torch.linalg.vector_norm((maps[0] - maps[1]).flatten(1), dim=1)
    torch.testing.assert_close(paper["at_4_4"], 0.1 * norms.mean() / 2)


def test_the_teachers_map_is_brought_to_the_students_size(weights):
    student, (images, targets) = make_student(), make_batch()
    method = build(weights, pairs=((2, 4), (4, 2)))
    losses = method(images, student(images), targets)
    assert losses.keys() == {"at_2_4", "at_4_2"}
    students, teachers = method._maps(images, student(images), targets)
    assert (students[2].shape, teachers[4].shape) == ((2, 8, 16), (2, 4, 8))


def gradients_of(network, images, targets, block):
    images = images.clone().requires_grad_()
    output = network(images)
    loss = segmentation_cross_entropy(output.segmentation_logits, targets.lane_mask) * len(images)
    return torch.autograd.grad(loss, output.features[block - 1] if block else images)[0]


@pytest.mark.parametrize("mode", ["gradient", "input_gradient"])
def test_gradient_modes_compare_the_gradients_of_both_networks(weights, mode):
    student, (images, targets) = make_student(dtype=torch.float64), make_batch(torch.float64)
    teacher = load_weights(weights)[0].double()
    block = 3 if mode == "gradient" else 0
    ours, theirs = (gradients_of(network, images, targets, block) for network in (student, teacher))
    name = "at_3_3" if block else "at_input"
    for form in ("code", "paper"):
        method = build(weights, mode=mode, form=form, weight=2.0)
        extended, _ = method.extend_batch(images, targets)
        loss = method(extended, student(extended), targets)[name]
        maps = [attention_map(gradient, "sum", 1) for gradient in (ours, theirs)]
        if form == "code":
            expected = map_distance(*map(normalize_map, maps), "mean")
        else:
            expected = map_distance(*(maps if block else (ours, theirs))) / 2
        torch.testing.assert_close(loss, 2 * expected)


def test_gradients_do_not_depend_on_the_batch_size(weights):
    student, (images, targets) = make_student(dtype=torch.float64), make_batch(torch.float64)
    targets.lane_mask[1] = targets.lane_mask[0]
    images[1] = images[0]
    method = build(weights, mode="gradient", form="paper")
    two = method(images, student(images), targets)
    one = method(images[:1], student(images[:1]), type(targets)(*(label[:1] for label in targets)))
    torch.testing.assert_close(one, two)


@pytest.mark.parametrize("others_first", [True, False])
def test_input_gradients_of_a_batch_that_another_method_extends(weights, others_first):
    method, views = build(weights, mode="input_gradient"), ViewConsistency(make_student().spec)
    methods = [views, method] if others_first else [method, views]
    learner = Learner(make_student(), LaneLoss(), methods)
    losses = learner(*make_batch(), 1.0)
    assert {"at_input", "view"} == losses.distillation.keys()
    losses.distillation["at_input"].backward()
    assert any(parameter.grad is not None and parameter.grad.any() for parameter in learner.parameters())


@pytest.mark.parametrize("mode", ["gradient", "input_gradient"])
def test_gradient_modes_need_the_graph(weights, mode):
    student, (images, targets) = make_student(), make_batch()
    method = build(weights, mode=mode)
    with torch.no_grad():
        output = student(images)
    with pytest.raises(ValueError, match=f"mode='{mode}' needs an output with its graph; run the network on"):
        method(images, output, targets)
    assert method.diagnostics(images, output, targets) == {}


def test_diagnostics_tell_over_how_many_pixels_the_maps_are_spread(weights):
    student, (images, targets) = make_student(), make_batch()
    numbers = build(weights, pairs=((2, 3),)).diagnostics(images, student(images), targets)
    assert numbers.keys() == {"at_support_2", "at_teacher_support_3"}
    assert 1 < numbers["at_support_2"] <= 128
    assert 1 < numbers["at_teacher_support_3"] <= 32


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "both"}, r"mode: expected activation \| gradient \| input_gradient, got 'both'"),
        ({"form": "mean"}, r"form: expected code \| paper, got 'mean'"),
        ({"weight": -1.0}, r"weight: expected 0 or more, got -1.0"),
        ({"power": 0}, r"power: expected more than 0, got 0"),
    ],
    ids=str,
)
def test_bad_settings_are_refused(weights, arguments, message):
    with pytest.raises(ValueError, match=f"AttentionTransfer {message}"):
        build(weights, **arguments)


@pytest.mark.parametrize(
    "arguments", [{"pairs": ((2, 3),)}, {"align_corners": True}, {"power": 2, "form": "paper"}], ids=str
)
def test_settings_without_effect_warn(weights, arguments):
    with pytest.warns(UserWarning, match="has no effect with mode='input_gradient'"):
        build(weights, mode="input_gradient", **arguments)


def test_the_student_comes_to_attend_as_its_teacher(weights):
    student, (images, targets) = make_student(), make_batch()
    method = build(weights)
    optimizer = torch.optim.Adam(student.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        losses.append(total(method(images, student(images), targets)))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1].detach() < 0.5 * losses[0].detach()
