"""SAD against the goldens, its promises about gradients, and what it refuses."""

import statistics

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from factories import make_output, make_spec, make_targets

from lanenet_sad.distillation import (
    SelfAttentionDistillation,
    attention_map,
    effective_support,
    map_distance,
    normalize_map,
    resize_map,
)
from lanenet_sad.lanes.lane import IGNORE_INDEX
from lanenet_sad.losses import segmentation_cross_entropy
from lanenet_sad.models import EncoderSpec, LaneNetOutput, enet

EXACT = {"rtol": 1e-9, "atol": 1e-12}
SINGLE = {"rtol": 2e-5, "atol": 1e-7}
GRADIENT_PAIRS = [("f1", "f2"), ("f2", "f3"), ("f3", "f4"), ("f2", "f4"), ("g1", "g2")]
NORMALIZATIONS = ["l2", "softmax", "standardized"]


@pytest.fixture(scope="module")
def golden(shared):
    return np.load(shared / "goldens" / "distillation" / "sad_attention.npz")


def output_of(*features: torch.Tensor) -> LaneNetOutput:
    batch = features[0].shape[0]
    return LaneNetOutput(torch.zeros(batch, 5, 16, 32), torch.zeros(batch, 4), features)


def golden_output(golden, *names, dtype=torch.float64) -> tuple[EncoderSpec, LaneNetOutput]:
    features = [torch.from_numpy(golden[f"in_{name}"]).to(dtype).requires_grad_() for name in names]
    spec = EncoderSpec(tuple(feature.shape[1] for feature in features), tuple(2**k for k in range(len(features))))
    return spec, output_of(*features)


def run(method, output, targets=None, size=(16, 32)):
    images = torch.zeros(output.features[0].shape[0], 3, *size)
    return method(images, output, targets or make_targets(size=size))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, EXACT), (torch.float32, SINGLE)], ids=str)
@pytest.mark.parametrize(
    ("paths", "key"),
    [
        (((2, 3), (3, 4)), "sad_total_P23_P34_gamma0.1"),
        (((1, 2), (2, 3), (3, 4)), "sad_total_P12_P23_P34_gamma0.1"),
    ],
    ids=["P23+P34", "P12+P23+P34"],
)
def test_total_goldens(golden, paths, key, dtype, tolerance):
    spec, output = golden_output(golden, "f1", "f2", "f3", "f4", dtype=dtype)
    losses = run(SelfAttentionDistillation(spec, mimic_paths=paths, normalization="softmax"), output)
    np.testing.assert_allclose(sum(loss.detach() for loss in losses.values()), golden[key], **tolerance)


@pytest.mark.parametrize("detach_target", [True, False])
@pytest.mark.parametrize(("student", "target"), GRADIENT_PAIRS)
def test_gradient_goldens(golden, student, target, detach_target):
    spec, output = golden_output(golden, student, target)
    method = SelfAttentionDistillation(
        spec, mimic_paths=((1, 2),), weight=1.0, normalization="softmax", detach_target=detach_target
    )
    run(method, output)["sad_1_2"].backward()
    student_gradient, target_gradient = (feature.grad for feature in output.features)
    np.testing.assert_allclose(student_gradient, golden[f"grad_student_{student}_{target}"], **EXACT)
    if detach_target:
        assert target_gradient is None
    else:
        key = f"grad_target_if_not_stopped_{student}_{target}"
        np.testing.assert_allclose(target_gradient, golden[key], **EXACT)


@pytest.mark.parametrize("resize", ["to_student", "to_target", "both_to_input"])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("mapping", ["sum", "max"])
def test_every_setting_is_what_it_says(mapping, normalization, resize):
    spec = make_spec()
    output = make_output(spec)
    temperature = 1.0 if normalization == "l2" else 3.0
    method = SelfAttentionDistillation(
        spec,
        mimic_paths=((1, 3),),
        weight=0.7,
        mapping=mapping,
        power=3,
        normalization=normalization,
        temperature=temperature,
        reduction="mean",
        resize=resize,
        align_corners=True,
    )
    size = {"to_student": (8, 16), "to_target": (4, 8), "both_to_input": (16, 32)}[resize]
    maps = [
        normalize_map(resize_map(attention_map(output.features[k], mapping, 3), size, True), normalization, temperature)
        for k in (0, 2)
    ]
    losses = run(method, output)
    assert method.imitation == set(losses) == {"sad_1_3"}
    torch.testing.assert_close(losses["sad_1_3"], 0.7 * map_distance(*maps, "mean"))


def test_defaults_are_the_documented_ones():
    spec = make_spec()
    output = make_output(spec)
    losses = run(SelfAttentionDistillation(spec), output)
    maps = [normalize_map(attention_map(feature), "l2") for feature in output.features]
    expected = {f"sad_{s}_{t}": 0.1 * map_distance(maps[s - 1], maps[t - 1]) for s, t in ((2, 3), (3, 4))}
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value)


@pytest.mark.parametrize("paths", [((1, 2),), ((1, 4), (2, 4)), ((4, 3),), ((2, 1), (1, 2))], ids=str)
def test_gradient_only_where_promised(paths):
    spec = make_spec()
    output = make_output(spec)
    method = SelfAttentionDistillation(spec, mimic_paths=paths)
    torch.stack(list(run(method, output).values())).sum().backward()
    moved = {block for block, feature in enumerate(output.features, start=1) if feature.grad is not None}
    assert moved == {student for student, _ in paths}
    assert output.segmentation_logits.grad is None


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_zero_on_agreement(normalization):
    spec = make_spec(channels=(8, 8, 8, 8))
    feature = make_output(spec).features[1]
    losses = run(SelfAttentionDistillation(spec, normalization=normalization), output_of(*[feature] * 4))
    assert [float(loss.detach()) for loss in losses.values()] == [0.0, 0.0]


@pytest.mark.parametrize("target", ["block", "label"])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_finite_at_activations_times_1000(normalization, target):
    spec = make_spec()
    features = [(1e3 * feature.detach()).requires_grad_() for feature in make_output(spec).features]
    method = SelfAttentionDistillation(spec, mimic_paths=((1, 2), (2, 3)), normalization=normalization, target=target)
    loss = torch.stack(list(run(method, output_of(*features)).values())).sum()
    loss.backward()
    assert loss.isfinite()
    assert all(feature.grad.isfinite().all() for feature in features[:2])


def test_softmax_of_a_single_image_is_not_all_ones():
    spec = make_spec()
    output = make_output(spec, batch=1)
    method = SelfAttentionDistillation(spec, normalization="softmax", weight=1.0)
    losses = run(method, output, make_targets(batch=1))
    # over the batch axis, the fault of the published graph, every map of one image is 1 everywhere and all losses are 0
    assert min(float(loss.detach()) for loss in losses.values()) > 1e-3


def encoder_gradient(network, loss) -> float:
    gradients = torch.autograd.grad(loss, list(network.encoder.parameters()), retain_graph=True, allow_unused=True)
    return float(torch.stack([gradient.norm() for gradient in gradients if gradient is not None]).norm())


def test_the_papers_softmax_is_dead_at_random_initialisation_and_l2_is_not():
    """Median over seeds: P34's gradient relative to the task's is 0 with the softmax and around a tenth with l2."""
    shares, supports = {"softmax": [], "l2": []}, []
    for seed in range(5):
        torch.manual_seed(seed)
        network, targets = enet(dropout=0.0), make_targets(size=(48, 136))
        images = torch.randn(2, 3, 48, 136)
        output = network(images)
        task = encoder_gradient(network, segmentation_cross_entropy(output.segmentation_logits, targets.lane_mask))
        for normalization, found in shares.items():
            method = SelfAttentionDistillation(
                network.spec, mimic_paths=((3, 4),), weight=1.0, normalization=normalization
            )
            found.append(encoder_gradient(network, method(images, output, targets)["sad_3_4"]) / task)
        supports.append(method.diagnostics(images, output, targets)["support_4"])
        softmaxed = normalize_map(attention_map(output.features[3].detach()), "softmax")
        assert float(effective_support(softmaxed).max()) < 2  # of 102 pixels
    assert statistics.median(shares["softmax"]) < 1e-6
    assert 0.01 < statistics.median(shares["l2"]) < 10
    assert min(supports) > 50


def label_case(normalization, resize):
    spec = make_spec()
    output, targets = make_output(spec), make_targets()
    targets.lane_mask[1] = 0
    targets.lane_mask[:, 0, :] = IGNORE_INDEX
    method = SelfAttentionDistillation(
        spec, mimic_paths=((3, 4),), weight=1.0, normalization=normalization, resize=resize, target="label"
    )
    return method, output, targets


@pytest.mark.parametrize("resize", ["to_student", "to_target", "both_to_input"])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_label_is_the_target_of_every_block_of_a_path(normalization, resize):
    method, output, targets = label_case(normalization, resize)
    losses = run(method, output, targets)
    assert method.imitation == set(losses) == {"sad_3_label", "sad_4_label"}

    lanes = ((targets.lane_mask[0] > 0) & (targets.lane_mask[0] < IGNORE_INDEX)).float()
    if resize == "to_student":
        lanes = F.avg_pool2d(lanes[None, None], 4)[0, 0]
    label = lanes / (lanes.square().sum().sqrt() if normalization == "l2" else lanes.sum())
    for block in (3, 4):
        raw = attention_map(output.features[block - 1][:1])
        student = normalize_map(resize_map(raw, tuple(lanes.shape)), normalization)[0]
        expected = (student - label).square().sum() / 2  # two images, of which the second has no lane
        torch.testing.assert_close(losses[f"sad_{block}_label"], expected)


def test_label_distance_vanishes_where_the_map_is_the_label():
    spec = EncoderSpec(channels=(1, 1), strides=(1, 1))
    targets = make_targets()
    feature = (targets.lane_mask > 0).float()[:, None]
    method = SelfAttentionDistillation(spec, mimic_paths=((1, 2),), target="label")
    losses = run(method, output_of(feature, torch.ones_like(feature)), targets)
    assert float(losses["sad_1_label"]) == pytest.approx(0, abs=1e-6)
    assert float(losses["sad_2_label"]) > 1e-3


def gradient_case(dtype=torch.float64):
    torch.manual_seed(0)
    network = enet(dropout=0.0).to(dtype)
    images, targets = torch.randn(2, 3, 32, 64, dtype=dtype), make_targets(size=(32, 64))
    return network, images, targets, network(images)


def test_gradient_mapping_reads_the_gradient_of_the_segmentation_loss():
    network, images, targets, output = gradient_case()
    method = SelfAttentionDistillation(network.spec, mimic_paths=((2, 3),), weight=1.0, mapping="gradient", power=1)
    loss = segmentation_cross_entropy(output.segmentation_logits, targets.lane_mask)
    gradients = torch.autograd.grad(loss, output.features, retain_graph=True)
    student, target = (attention_map(gradients[k], "sum", 1) for k in (1, 2))
    expected = map_distance(normalize_map(student), normalize_map(resize_map(target, (8, 16))))
    torch.testing.assert_close(method(images, output, targets)["sad_2_3"], expected)


def test_gradient_mapping_trains_the_network():
    network, images, targets, output = gradient_case()
    method = SelfAttentionDistillation(network.spec, mapping="gradient")
    torch.stack(list(method(images, output, targets).values())).sum().backward()
    gradients = [parameter.grad for parameter in network.decoder.up4.parameters()]
    assert any(gradient is not None and gradient.any() for gradient in gradients)
    assert all(gradient is None or gradient.isfinite().all() for gradient in gradients)


def test_gradient_mapping_needs_the_graph():
    network, images, targets, _ = gradient_case()
    method = SelfAttentionDistillation(network.spec, mapping="gradient")
    with torch.no_grad():
        output = network(images)
        assert method.diagnostics(images, output, targets) == {}
        with pytest.raises(ValueError, match="needs an output with its graph"):
            method(images, output, targets)


@pytest.mark.parametrize("mapping", ["sum", "gradient"])
def test_diagnostics_tell_support_and_distance_and_leave_the_graph_alone(mapping):
    network, images, targets, output = gradient_case()
    method = SelfAttentionDistillation(network.spec, mapping=mapping, weight=0.5)
    numbers = method.diagnostics(images, output, targets)
    losses = method(images, output, targets)
    assert set(numbers) == {"support_2", "support_3", "support_4", "distance_2_3", "distance_3_4"}
    assert 1 < numbers["support_3"] <= 32
    for path in ("2_3", "3_4"):
        assert numbers[f"distance_{path}"] == pytest.approx(float(losses[f"sad_{path}"].detach()) / 0.5)
    sum(losses.values()).backward()
    assert network.encoder.stage1[0].project[0].weight.grad.any()


def test_diagnostics_show_a_dead_map():
    spec = EncoderSpec(channels=(1, 1), strides=(1, 1))
    spike = torch.zeros(1, 1, 4, 4)
    spike[0, 0, 1, 1] = 100.0
    method = SelfAttentionDistillation(spec, mimic_paths=((1, 2),), normalization="softmax")
    numbers = method.diagnostics(
        torch.zeros(1, 3, 4, 4), output_of(spike, torch.zeros_like(spike)), make_targets(batch=1)
    )
    assert numbers["support_1"] == pytest.approx(1)
    assert numbers["support_2"] == pytest.approx(16)


def test_it_adds_no_parameters():
    assert list(SelfAttentionDistillation(make_spec()).state_dict()) == []


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_is_raised(dtype):
    spec = make_spec()
    losses = run(SelfAttentionDistillation(spec), make_output(spec, dtype=dtype))
    assert {loss.dtype for loss in losses.values()} == {torch.float32}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mimic_paths": ((2, 5),)}, r"Mimic path \(2, 5\): the encoder has blocks 1 to 4, not 5"),
        ({"mimic_paths": ((0, 1),)}, r"blocks 1 to 4, not 0"),
        ({"mimic_paths": ((3, 3),)}, r"Mimic path \(3, 3\): a block cannot mimic itself"),
        ({"mimic_paths": ()}, r"at least one pair"),
        ({"mimic_paths": ((2, 3), (2, 3))}, r"each path once"),
        ({"mapping": "mean"}, r"mapping: expected sum \| max \| gradient, got 'mean'"),
        ({"normalization": "minmax"}, r"normalization: expected l2 \| softmax \| standardized, got 'minmax'"),
        ({"reduction": "none"}, r"reduction: expected sum \| batchmean \| mean, got 'none'"),
        ({"resize": "up"}, r"resize: expected to_student \| to_target \| both_to_input, got 'up'"),
        ({"target": "teacher"}, r"target: expected block \| label, got 'teacher'"),
        ({"power": 0}, r"power: expected more than 0, got 0"),
        ({"temperature": 0.0}, r"temperature: expected more than 0, got 0.0"),
        ({"weight": -0.1}, r"weight: expected 0 or more, got -0.1"),
        ({"weight": float("nan")}, r"weight: expected 0 or more, got nan"),
        ({"power": float("nan")}, r"SelfAttentionDistillation power: expected more than 0, got nan"),
    ],
    ids=str,
)
def test_bad_settings_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SelfAttentionDistillation(make_spec(), **arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"temperature": 2.0},
        {"align_corners": True},
        {"resize": "to_target"},
        {"target": "label", "detach_target": False},
        {"target": "label", "align_corners": True},
    ],
    ids=str,
)
def test_settings_without_effect_warn(arguments):
    with pytest.warns(UserWarning, match="has no effect"):
        SelfAttentionDistillation(make_spec(), mimic_paths=((2, 3), (3, 4)), **arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {"temperature": 2.0, "normalization": "softmax"},
        {"align_corners": True, "mimic_paths": ((1, 2),)},
        {"resize": "to_target", "mimic_paths": ((1, 2), (2, 3))},
        {"align_corners": True, "resize": "both_to_input"},
        {"align_corners": True, "resize": "both_to_input", "target": "label"},
    ],
    ids=str,
)
def test_settings_with_an_effect_do_not_warn(arguments, recwarn):
    SelfAttentionDistillation(make_spec(), **arguments)
    assert not recwarn.list


def test_features_and_labels_that_are_missing_are_named() -> None:
    spec = make_spec()
    output = make_output(spec)
    with pytest.raises(ValueError, match="expected the features of 4 encoder blocks, as EncoderSpec says, got 2"):
        SelfAttentionDistillation(spec)(None, output._replace(features=output.features[:2]), None)
    with pytest.raises(ValueError, match="need targets"):
        SelfAttentionDistillation(spec, target="label")(None, output, None)
