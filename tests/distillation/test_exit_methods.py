"""BYOT and deep supervision: promises about gradients, names, agreement, and what they refuse."""

import pytest
import torch
from factories import make_output, make_targets

from lanenet_sad.distillation import BeYourOwnTeacher, DeepSupervision, attention_map, map_distance, normalize_map
from lanenet_sad.lanes.lane import IGNORE_INDEX
from lanenet_sad.losses import (
    existence_cross_entropy,
    segmentation_cross_entropy,
    soft_target_cross_entropy,
    soft_target_kl,
)
from lanenet_sad.models import NetworkSpec

SPEC = NetworkSpec(channels=(6, 8, 8, 8), strides=(2, 4, 4, 8), num_lanes=4)
METHODS = [
    pytest.param(BeYourOwnTeacher, {}, id="byot"),
    pytest.param(BeYourOwnTeacher, {"blocks": (1, 2, 4), "pixels": "lane_band"}, id="byot-band"),
    pytest.param(
        BeYourOwnTeacher, {"soft_loss": "cross_entropy", "pixels": "all", "soft_stride": 1}, id="byot-cross-entropy"
    ),
    pytest.param(DeepSupervision, {}, id="exit"),
    pytest.param(DeepSupervision, {"head": "attention", "blocks": (2, 4)}, id="attention"),
    pytest.param(DeepSupervision, {"wait_for_schedule": True}, id="late"),
]


def run(method, output, targets=None, **options):
    return method(torch.zeros(2, 3, 16, 32), output, targets or make_targets(), **options)


def total(losses):
    return torch.stack(list(losses.values())).sum()


@pytest.mark.parametrize(("kind", "options"), METHODS)
def test_gradient_reaches_the_heads_and_their_blocks_alone(kind, options):
    method, output = kind(SPEC, **options), make_output(SPEC)
    total(run(method, output)).backward()
    assert all(parameter.grad is not None for parameter in method.parameters())
    assert sum(bool(parameter.grad.any()) for parameter in method.parameters()) > 0
    for block, feature in enumerate(output.features, start=1):
        assert (feature.grad is not None and bool(feature.grad.any())) == (block in method.blocks)
    assert output.segmentation_logits.grad is None
    assert output.existence_logits.grad is None


@pytest.mark.parametrize(("kind", "options"), METHODS)
@pytest.mark.parametrize("scale", [1e3, 0.0], ids=["huge", "zero"])
def test_finite_at_any_activations(kind, options, scale):
    method, output = kind(SPEC, **options), make_output(SPEC)
    output = output._replace(
        features=tuple(feature * scale for feature in output.features),
        segmentation_logits=output.segmentation_logits * scale,
    )
    losses = run(method, output)
    total(losses).backward()
    assert all(loss.isfinite() for loss in losses.values())
    assert all(parameter.grad.isfinite().all() for parameter in method.parameters())


def test_nothing_known_is_no_loss_on_pixels():
    targets = make_targets()
    targets.lane_mask[:] = IGNORE_INDEX
    losses = run(BeYourOwnTeacher(SPEC), make_output(SPEC), targets)
    assert float(losses["byot_label_2"].detach()) == float(losses["byot_soft_2"].detach()) == 0


@pytest.mark.parametrize(
    ("method", "waiting", "always"),
    [
        (
            BeYourOwnTeacher(SPEC, blocks=(3, 2)),
            {"byot_soft_2", "byot_soft_3", "byot_hint_2", "byot_hint_3"},
            {"byot_label_2", "byot_label_3", "byot_existence_2", "byot_existence_3"},
        ),
        (
            DeepSupervision(SPEC, blocks=(4,)),
            set(),
            {"supervision_label_4", "supervision_existence_4"},
        ),
        (DeepSupervision(SPEC, blocks=(4,), head="attention"), set(), {"supervision_label_4"}),
        (
            DeepSupervision(SPEC, blocks=(4,), wait_for_schedule=True),
            {"supervision_label_4", "supervision_existence_4"},
            set(),
        ),
    ],
    ids=["byot", "exit", "attention", "late"],
)
def test_names_and_which_of_them_wait(method, waiting, always):
    output = make_output(SPEC)
    assert method.imitation == waiting
    assert method.has_label_losses == bool(always)
    assert set(run(method, output)) == waiting | always
    assert set(run(method, output, imitate=False)) == always


def test_label_losses_are_the_same_before_and_after_the_start():
    method, output = BeYourOwnTeacher(SPEC), make_output(SPEC)
    before, after = run(method, output, imitate=False), run(method, output)
    for name, value in before.items():
        torch.testing.assert_close(after[name], value)


def test_imitation_is_not_computed_before_its_start(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError

    for name in ("soft_target_kl", "attention_map"):
        monkeypatch.setattr(f"lanenet_sad.distillation.own_teacher.{name}", refuse)
    method, output = BeYourOwnTeacher(SPEC), make_output(SPEC)
    run(method, output, imitate=False)
    with pytest.raises(AssertionError):
        run(method, output)


@pytest.mark.parametrize(("soft_loss", "step"), [("kl", 1), ("kl", 2), ("cross_entropy", 3)])
def test_values_of_every_term(soft_loss, step):
    options = {"soft_weight": 0.3, "temperature": 2.0, "hint_weight": 0.7, "soft_loss": soft_loss, "soft_stride": step}
    method = BeYourOwnTeacher(SPEC, blocks=(2,), weight=0.5, **options).eval()
    output, targets = make_output(SPEC), make_targets()
    targets.lane_mask[0, :3] = IGNORE_INDEX
    losses, found = run(method, output, targets), method.exits()[2](output.features)
    label = segmentation_cross_entropy(found.segmentation_logits, targets.lane_mask)
    torch.testing.assert_close(losses["byot_label_2"], 0.5 * 0.7 * label)
    existence = existence_cross_entropy(found.existence_logits, targets.existence)
    torch.testing.assert_close(losses["byot_existence_2"], 0.5 * 0.7 * 0.1 * existence)
    soft = soft_target_kl if soft_loss == "kl" else soft_target_cross_entropy
    lane_probs = output.segmentation_logits.softmax(dim=1)[:, 1:].sum(dim=1).detach()
    valid = targets.lane_mask != IGNORE_INDEX
    everywhere = (found.segmentation_logits, output.segmentation_logits, valid, 1 + lane_probs)
    student, teacher, valid, weight = (each[..., ::step, ::step] for each in everywhere)
    expected = soft(student, teacher, 2.0, valid, weight)
    torch.testing.assert_close(losses["byot_soft_2"], 0.5 * 0.3 * expected)
    deepest = torch.nn.functional.interpolate(
        attention_map(output.features[3])[:, None], size=(4, 8), mode="bilinear", align_corners=False
    )[:, 0]
    distance = map_distance(normalize_map(attention_map(found.feature)), normalize_map(deepest))
    torch.testing.assert_close(losses["byot_hint_2"], 0.5 * 0.7 * distance)


def test_no_soft_loss_on_agreement():
    method, output = BeYourOwnTeacher(SPEC, blocks=(2,)).eval(), make_output(SPEC)
    found = method.exits()[2](output.features)
    agreed = output._replace(segmentation_logits=found.segmentation_logits.detach())
    assert float(run(method, agreed)["byot_soft_2"].detach()) == pytest.approx(0, abs=1e-6)
    assert float(run(method, output)["byot_soft_2"].detach()) > 1e-3


def test_no_hint_where_the_attention_is_the_same():
    method, output = BeYourOwnTeacher(SPEC, blocks=(4,)).eval(), make_output(SPEC)
    narrow = method.exits()[4](output.features).feature.detach()
    head = method.heads["4"]
    head.decoder.bottleneck.forward = lambda feature: narrow
    agreed = output._replace(features=(*output.features[:3], narrow[:, :8] * 0 + 1))
    assert float(run(method, agreed)["byot_hint_4"].detach()) > 1e-5
    head.existence_head.forward = lambda feature: output.existence_logits
    same = output._replace(features=(*output.features[:3], narrow))
    assert float(run(method, same)["byot_hint_4"].detach()) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("step", [1, 2])
def test_the_lane_band_is_what_lies_within_a_radius_of_a_lane(step):
    targets = make_targets()
    targets.lane_mask[:] = 0
    targets.lane_mask[0, 5, 10] = 2
    targets.lane_mask[0, 6, 10] = IGNORE_INDEX
    output = make_output(SPEC)
    method = BeYourOwnTeacher(
        SPEC, blocks=(2,), pixels="lane_band", band_radius=2, soft_weight=1.0, soft_stride=step
    ).eval()
    band = torch.zeros(2, 16, 32, dtype=torch.bool)
    band[0, 3:8, 8:13] = True
    band[0, 6, 10] = False
    found = method.exits()[2](output.features)
    everywhere = (found.segmentation_logits, output.segmentation_logits, band)
    student, teacher, valid = (each[..., ::step, ::step] for each in everywhere)
    expected = soft_target_kl(student, teacher, 3.0, valid)
    torch.testing.assert_close(run(method, output, targets)["byot_soft_2"], expected)


def test_the_weight_of_deep_supervision_is_that_of_all_blocks():
    one, two = (DeepSupervision(SPEC, blocks=blocks).eval() for blocks in ((2,), (2, 3)))
    one.heads["2"].load_state_dict(two.heads["2"].state_dict())
    output = make_output(SPEC)
    alone, beside = run(one, output)["supervision_label_2"], run(two, output)["supervision_label_2"]
    torch.testing.assert_close(alone, 2 * beside)


def test_an_attention_map_is_supervised_through_two_numbers_per_class():
    method = DeepSupervision(SPEC, head="attention")
    assert method.exits() == {}
    sizes = {name: value.shape for name, value in method.named_parameters() if "classify" in name}
    assert sizes["heads.2.classify.weight"] == (5, 1, 1, 1)
    assert sizes["heads.2.classify.bias"] == (5,)


@pytest.mark.parametrize("kind", [BeYourOwnTeacher, DeepSupervision])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blocks": (2, 5)}, r"^Exit 5: the encoder has blocks 1 to 4\.$"),
        ({"blocks": (0,)}, r"^Exit 0: the encoder has blocks 1 to 4\.$"),
        ({"blocks": ()}, "blocks: expected at least one encoder block"),
        ({"blocks": (2, 2)}, r"blocks: expected each block once, got \[2, 2\]"),
        ({"weight": -1.0}, "weight: expected 0 or more, got -1.0"),
        ({"weight": float("nan")}, "weight: expected 0 or more, got nan"),
        ({"background_weight": -0.4}, "background_weight: expected 0 or more, got -0.4"),
        ({"existence_weight": -0.1}, "existence_weight: expected 0 or more, got -0.1"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind(SPEC, **options)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (BeYourOwnTeacher, {"soft_weight": 1.1}, "soft_weight: expected a share from 0 to 1, got 1.1"),
        (BeYourOwnTeacher, {"soft_weight": float("nan")}, "soft_weight: expected a share from 0 to 1, got nan"),
        (BeYourOwnTeacher, {"temperature": 0.0}, "temperature: expected more than 0, got 0.0"),
        (BeYourOwnTeacher, {"temperature": float("nan")}, "temperature: expected more than 0, got nan"),
        (BeYourOwnTeacher, {"soft_stride": 0}, "soft_stride: expected at least 1, got 0"),
        (BeYourOwnTeacher, {"hint_weight": -1.0}, "hint_weight: expected 0 or more, got -1.0"),
        (BeYourOwnTeacher, {"soft_loss": "js"}, r"soft_loss: expected kl \| cross_entropy, got 'js'"),
        (BeYourOwnTeacher, {"pixels": "few"}, r"pixels: expected lane_weighted \| lane_band \| all, got 'few'"),
        (DeepSupervision, {"head": "linear"}, r"head: expected exit \| attention, got 'linear'"),
    ],
    ids=str,
)
def test_settings_of_one_method_are_refused_by_name(kind, options, message):
    with pytest.raises(ValueError, match=f"{kind.__name__} {message}"):
        kind(SPEC, **options)
