"""FRSKD against the goldens, its promises about gradients, and what it refuses."""

import numpy as np
import pytest
import torch
from factories import make_output, make_targets
from torch import nn

from lanenet_sad.distillation import FeatureRefinement
from lanenet_sad.lanes.lane import IGNORE_INDEX
from lanenet_sad.losses import segmentation_cross_entropy
from lanenet_sad.models import LaneNetOutput, LaneTargets, NetworkSpec, enet

EXACT = {"rtol": 1e-9, "atol": 1e-12}
SINGLE = {"rtol": 2e-5, "atol": 1e-7}
PRECISIONS = pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, EXACT), (torch.float32, SINGLE)], ids=["float64", "float32"]
)
SPEC = NetworkSpec((6, 8, 10, 12), (2, 4, 8, 8), num_lanes=4)
NAMES = {"frskd_label", "frskd_soft", "frskd_attention"}


class GivenTeacher(nn.Module):
    """Says what it was told, whatever it sees."""

    def __init__(self, refined, logits):
        super().__init__()
        self.refined, self.logits = refined, logits

    def forward(self, features):
        return self.refined, self.logits


@pytest.fixture(scope="module")
def golden(shared):
    return np.load(shared / "goldens" / "distillation" / "frskd.npz")


def golden_case(golden, kind, dtype, **options):
    """A method whose teacher, and a network whose output, are those of the goldens."""
    tensors = {name: torch.from_numpy(golden[name]) for name in golden.files}
    student, teacher, labels = (tensors[name] for name in kind)
    if student.ndim == 2:  # one pixel for each image
        student, teacher, labels = student[..., None, None], teacher[..., None, None], labels[:, None, None]
    features = tuple(tensors[f"in_feat_s{level}"].to(dtype).requires_grad_() for level in range(3))
    refined = tuple(tensors[f"in_feat_t{level}"].to(dtype).requires_grad_() for level in range(3))
    spec = NetworkSpec((4, 6, 8), (1, 2, 4), num_lanes=student.shape[1] - 1)
    method = FeatureRefinement(spec, blocks=(1, 2, 3), background_weight=1.0, soft_pixels="all", **options)
    method.teacher = GivenTeacher(refined, teacher.to(dtype).requires_grad_())
    logits = student.to(dtype).requires_grad_()
    return method, LaneNetOutput(logits, torch.zeros(len(logits), 1), features), LaneTargets(labels, torch.zeros(1))


CLASSIFICATION = ("in_logits_s", "in_logits_t", "in_labels")
SEGMENTATION = ("seg_in_s", "seg_in_t", "seg_labels")


def losses_of(method, output, targets, **options):
    return {name: value.detach() for name, value in method(None, output, targets, **options).items()}


@PRECISIONS
@pytest.mark.parametrize(
    ("reduction", "key"), [("mean", "att_per_level"), ("batchmean", "att_per_level_sumsq_batchmean")]
)
def test_attention_goldens(golden, reduction, key, dtype, tolerance):
    case = golden_case(golden, SEGMENTATION, dtype, reduction=reduction, attention_weight=1.0)
    np.testing.assert_allclose(losses_of(*case)["frskd_attention"], golden[key].sum(), **tolerance)
    numbers = case[0].diagnostics(None, *case[1:])
    np.testing.assert_allclose([numbers[f"frskd_distance_{block}"] for block in (1, 2, 3)], golden[key], **tolerance)


@PRECISIONS
@pytest.mark.parametrize(
    ("kind", "temperature", "key"),
    [
        (CLASSIFICATION, 4.0, "kl_T4"),
        (CLASSIFICATION, 1.0, "kl_T1"),
        (SEGMENTATION, 1.0, "seg_kl_T1_perpixel"),
    ],
    ids=["T4", "T1", "pixels"],
)
def test_soft_target_goldens(golden, kind, temperature, key, dtype, tolerance):
    case = golden_case(golden, kind, dtype, temperature=temperature)
    np.testing.assert_allclose(losses_of(*case)["frskd_soft"], golden[key], **tolerance)


@PRECISIONS
@pytest.mark.parametrize(
    ("kind", "options", "keys"),
    [
        (
            CLASSIFICATION,
            {"temperature": 4.0, "soft_weight": 2.0, "attention_weight": 100.0},
            ("ce_s", "ce_t", "total_cls_alpha2_beta100_T4"),
        ),
        (SEGMENTATION, {}, ("seg_ce_s", "seg_ce_t", "total_seg_alpha1_beta50")),
    ],
    ids=["classification", "segmentation"],
)
def test_total_goldens(golden, kind, options, keys, dtype, tolerance):
    method, output, targets = golden_case(golden, kind, dtype, **options)
    student = segmentation_cross_entropy(output.segmentation_logits.detach(), targets.lane_mask, 1.0)
    losses = losses_of(method, output, targets)
    found = [student, losses["frskd_label"], student + sum(losses.values())]
    np.testing.assert_allclose(found, [golden[key] for key in keys], **tolerance)


def test_soft_targets_leave_ignored_pixels_out_by_default(golden):
    method, output, targets = golden_case(golden, SEGMENTATION, torch.float64)
    method.soft_pixels = "valid"
    valid = (targets.lane_mask != IGNORE_INDEX)[:, None]
    assert not valid.all()
    student, teacher = output.segmentation_logits.detach(), method.teacher.logits.detach()
    per_pixel = (teacher.softmax(1) * (teacher.log_softmax(1) - student.log_softmax(1))).sum(1, keepdim=True)
    torch.testing.assert_close(losses_of(method, output, targets)["frskd_soft"], per_pixel[valid].mean())
    everything_ignored = targets._replace(lane_mask=torch.full_like(targets.lane_mask, IGNORE_INDEX))
    losses = losses_of(method, output, everything_ignored)
    assert losses["frskd_soft"] == losses["frskd_label"] == 0


def test_zero_on_agreement():
    output, targets = make_output(SPEC), make_targets()
    method = FeatureRefinement(SPEC)
    method.teacher = GivenTeacher([3 * feature for feature in output.features[1:]], output.segmentation_logits)
    losses = losses_of(method, output, targets)
    assert float(losses["frskd_soft"]) == pytest.approx(0, abs=1e-7)
    assert float(losses["frskd_attention"]) == pytest.approx(0, abs=1e-7)


def test_imitation_moves_the_network_and_not_the_teacher(golden):
    method, output, targets = golden_case(golden, SEGMENTATION, torch.float64)
    losses = method(None, output, targets)
    (losses["frskd_soft"] + losses["frskd_attention"]).backward()
    assert all(feature.grad.any() for feature in output.features)
    assert output.segmentation_logits.grad.any()
    assert method.teacher.logits.grad is None
    assert all(refined.grad is None for refined in method.teacher.refined)


def test_imitation_leaves_every_parameter_of_the_teacher_alone():
    output, targets = make_output(SPEC), make_targets()
    method = FeatureRefinement(SPEC, width=8)
    losses = method(None, output, targets)
    (losses["frskd_soft"] + losses["frskd_attention"]).backward()
    assert all(parameter.grad is None for parameter in method.parameters())


@pytest.mark.parametrize("detach_features", [False, True])
def test_the_label_loss_trains_the_teacher_and_the_encoder_unless_detached(detach_features):
    output, targets = make_output(SPEC), make_targets()
    method = FeatureRefinement(SPEC, width=8, detach_features=detach_features)
    losses = method(None, output, targets, imitate=False)
    assert losses.keys() == {"frskd_label"}
    losses["frskd_label"].backward()
    assert [name for name, parameter in method.named_parameters() if parameter.grad is None] == []
    assert output.features[0].grad is None
    assert all((feature.grad is None) == detach_features for feature in output.features[1:])
    assert output.segmentation_logits.grad is None


def test_nothing_of_the_imitation_is_computed_before_its_start(monkeypatch):
    method = FeatureRefinement(SPEC, width=8)
    module = "lanenet_sad.distillation.feature_refinement"
    for name in ("attention_map", "soft_target_kl"):
        monkeypatch.setattr(f"{module}.{name}", None)  # a call would raise
    losses = method(None, make_output(SPEC), make_targets(), imitate=False)
    assert losses.keys() == {"frskd_label"}
    assert method.has_label_losses
    assert method.imitation == NAMES - {"frskd_label"}


@pytest.mark.parametrize(
    "strides", [(2, 4, 8, 8), (4, 8, 8, 8), (4, 8, 16, 32), (8, 8, 8, 8)], ids=["enet", "resnet", "pyramid", "flat"]
)
@pytest.mark.parametrize(
    "options",
    [{}, {"head_level": "deepest", "width": "double", "fusion": "sum", "num_layers": 1}],
    ids=["ours", "code"],
)
def test_it_fits_every_encoder(strides, options):
    spec = NetworkSpec((4, 4, 6, 6), strides, num_lanes=6)
    output, targets = make_output(spec, size=(32, 64), num_lanes=6), make_targets(size=(32, 64), num_lanes=6)
    method = FeatureRefinement(spec, **options)
    losses = method(None, output, targets)
    assert losses.keys() == NAMES
    torch.stack(list(losses.values())).sum().backward()
    assert [name for name, parameter in method.named_parameters() if parameter.grad is None] == []
    assert all(feature.grad.isfinite().all() for feature in output.features[1:])


def test_activations_in_the_thousands_stay_finite():
    output, targets = make_output(SPEC), make_targets()
    large = output._replace(
        segmentation_logits=output.segmentation_logits * 1e3, features=tuple(1e3 * one for one in output.features)
    )
    losses = FeatureRefinement(SPEC, width=8)(None, large, targets)
    torch.stack(list(losses.values())).sum().backward()
    assert all(loss.isfinite() for loss in losses.values())
    assert all(feature.grad.isfinite().all() for feature in output.features[1:])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_is_raised(dtype):
    method = FeatureRefinement(SPEC, width=8).to(dtype)
    losses = losses_of(method, make_output(SPEC, dtype=dtype), make_targets())
    assert {loss.dtype for loss in losses.values()} == {torch.float32}


def test_the_untrained_teacher_expects_background():
    output, targets = make_output(SPEC), make_targets()
    method = FeatureRefinement(SPEC)
    with torch.no_grad():
        _, logits = method.teacher(output.features[1:])
    assert logits.shape == (2, 5, 4, 8)
    assert 0.8 < float(logits.softmax(dim=1)[:, 0].mean()) < 0.95
    assert losses_of(method, output, targets)["frskd_label"] < 2.5


def test_the_teacher_can_learn_what_the_network_saw():
    torch.manual_seed(0)
    network, targets = enet(dropout=0.0), make_targets(size=(32, 64))
    method = FeatureRefinement(network.spec, width=16)
    with torch.no_grad():
        output = network(torch.randn(2, 3, 32, 64))
    optimizer = torch.optim.Adam(method.parameters(), lr=0.02)
    lead, label = method.diagnostics(None, output, targets)["frskd_teacher_lead"], []
    for _ in range(25):
        optimizer.zero_grad()
        loss = method(None, output, targets, imitate=False)["frskd_label"]
        loss.backward()
        optimizer.step()
        label.append(float(loss.detach()))
    assert label[-1] < 0.5 * label[0]
    assert method.diagnostics(None, output, targets)["frskd_teacher_lead"] > max(lead, 0)


def test_diagnostics_change_nothing():
    output, targets = make_output(SPEC), make_targets()
    method = FeatureRefinement(SPEC, width=8)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    numbers = method.diagnostics(None, output, targets)
    assert numbers.keys() == {"frskd_teacher_lead", "frskd_distance_2", "frskd_distance_3", "frskd_distance_4"}
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
    assert all(module.training for module in method.modules())


def test_a_term_of_weight_0_is_neither_computed_nor_named():
    method = FeatureRefinement(SPEC, width=8, attention_weight=0)
    assert method.imitation == {"frskd_soft"}
    assert method(None, make_output(SPEC), make_targets()).keys() == {"frskd_label", "frskd_soft"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"blocks": (2, 5)}, r"blocks \(2, 5\): the encoder has blocks 1 to 4, not 5"),
        ({"blocks": (0, 1)}, r"the encoder has blocks 1 to 4, not 0"),
        ({"blocks": (3,)}, r"expected two or more, shallow to deep, got \(3,\)"),
        ({"blocks": (4, 3)}, r"expected two or more, shallow to deep, got \(4, 3\)"),
        ({"width": 0}, r"width: expected at least 1, or 'double', got 0"),
        ({"width": "half"}, r"width: expected at least 1, or 'double', got 'half'"),
        ({"num_layers": 0}, r"num_layers: expected at least 1, got 0"),
        ({"fusion": "mean"}, r"fusion: expected weighted \| sum, got 'mean'"),
        ({"head_level": "top"}, r"head_level: expected finest \| deepest, got 'top'"),
        ({"soft_pixels": "lanes"}, r"soft_pixels: expected valid \| all, got 'lanes'"),
        ({"reduction": "none"}, r"reduction: expected sum \| batchmean \| mean, got 'none'"),
        ({"label_weight": 0}, r"label_weight: expected more than 0, got 0"),
        ({"soft_weight": -1}, r"soft_weight: expected 0 or more, got -1"),
        ({"attention_weight": -1}, r"attention_weight: expected 0 or more, got -1"),
        ({"temperature": 0.0}, r"temperature: expected more than 0, got 0.0"),
    ],
    ids=str,
)
def test_bad_settings_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"FeatureRefinement .*{message}"):
        FeatureRefinement(SPEC, **arguments)


def test_features_that_are_missing_are_named():
    output = make_output(SPEC)
    with pytest.raises(ValueError, match="expected the features of at least 4 encoder blocks, got 3"):
        FeatureRefinement(SPEC)(None, output._replace(features=output.features[:3]), make_targets())
