"""Attention maps against the goldens of an independent NumPy implementation and against naive loops."""

import json
import math

import numpy as np
import pytest
import torch

from lanenet_sad.distillation import attention_map, effective_support, map_distance, normalize_map, resize_map

EXACT = {"rtol": 1e-9, "atol": 1e-12}
TOLERANCES = [
    pytest.param(torch.float64, EXACT, id="float64"),
    pytest.param(torch.float32, {"rtol": 2e-5, "atol": 1e-6}, id="float32"),
]
NAMES = ("f1", "f2", "f3", "f4", "g1", "g2")
RESIZED = [("f2", "f1"), ("f3", "f2"), ("f4", "f3"), ("f4", "f2"), ("g2", "g1")]


@pytest.fixture(scope="module")
def golden(shared):
    return np.load(shared / "goldens" / "distillation" / "sad_attention.npz")


@pytest.fixture(scope="module")
def manifest(shared):
    return json.loads((shared / "goldens" / "distillation" / "manifest.json").read_text())


def feature(golden, name, dtype=torch.float64):
    return torch.from_numpy(golden[f"in_{name}"]).to(dtype)


def size_of(golden, name):
    return golden[f"in_{name}"].shape[-2:]


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
@pytest.mark.parametrize("power", [1, 2, 4])
@pytest.mark.parametrize("mapping", ["sum", "mean", "max"])
def test_map_goldens(golden, mapping, power, dtype, tolerance):
    for name in NAMES:
        ours = attention_map(feature(golden, name, dtype), mapping, power)
        np.testing.assert_allclose(ours, golden[f"map_{mapping}_p{power}_{name}"], **tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
@pytest.mark.parametrize("align_corners", [False, True])
def test_resize_goldens(golden, align_corners, dtype, tolerance):
    for deep, shallow in RESIZED:
        for mapping in ("sum", "max"):
            for power in (1, 2, 4):
                raw = torch.from_numpy(golden[f"map_{mapping}_p{power}_{deep}"]).to(dtype)
                ours = resize_map(raw, size_of(golden, shallow), align_corners)
                key = f"resized_{mapping}_p{power}_{deep}_to_{shallow}_ac{int(align_corners)}"
                np.testing.assert_allclose(ours, golden[key], **tolerance)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(("source", "goal"), [("f1", "f2"), ("g1", "g2")])
def test_shrinking_goldens(golden, source, goal, align_corners):
    ours = resize_map(torch.from_numpy(golden[f"map_sum_p2_{source}"]), size_of(golden, goal), align_corners)
    np.testing.assert_allclose(ours, golden[f"resized_sum_p2_{source}_to_{goal}_ac{int(align_corners)}"], **EXACT)


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_normalization_goldens(golden, dtype, tolerance):
    for name in NAMES:
        raw = torch.from_numpy(golden[f"map_sum_p2_{name}"]).to(dtype)
        np.testing.assert_allclose(normalize_map(raw, "l2"), golden[f"l2_sum_p2_{name}"], **tolerance)
        for temperature in (1, 4):
            ours = normalize_map(raw, "softmax", temperature)
            np.testing.assert_allclose(ours, golden[f"ssm_sum_p2_T{temperature}_{name}"], **tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_loss_table(golden, manifest, dtype, tolerance):
    axes = [manifest[key] for key in ("pairs", "maps", "p", "align_corners", "norms", "reductions")]
    assert golden["loss_table"].shape == tuple(len(axis) for axis in axes)
    for index in np.ndindex(golden["loss_table"].shape):
        (student, target), mapping, power, aligned, normalization, reduction = (
            axis[i] for axis, i in zip(axes, index, strict=True)
        )
        student_map = attention_map(feature(golden, student, dtype), mapping, power)
        target_map = attention_map(feature(golden, target, dtype), mapping, power)
        resized = resize_map(target_map, size_of(golden, student), bool(aligned))
        distance = map_distance(
            normalize_map(student_map, normalization), normalize_map(resized, normalization), reduction
        )
        np.testing.assert_allclose(distance, golden["loss_table"][index], **tolerance, err_msg=str(index))


def test_order_of_operations_is_map_resize_softmax(golden):
    student = normalize_map(attention_map(feature(golden, "f1")), "softmax")
    deep = feature(golden, "f2")
    ours = map_distance(student, normalize_map(resize_map(attention_map(deep), (12, 20)), "softmax"))
    np.testing.assert_allclose(ours, golden["variant_resize_map_then_softmax"], **EXACT)
    for other in ("resize_features_then_map", "softmax_then_resize", "softmax_then_resize_renorm"):
        assert abs(float(ours) - float(golden[f"variant_{other}"])) > 1e-4


def test_other_orders_can_be_put_together_from_the_same_functions(golden):
    student, deep = normalize_map(attention_map(feature(golden, "f1")), "softmax"), feature(golden, "f2")
    enlarged = torch.nn.functional.interpolate(deep, size=(12, 20), mode="bilinear")
    by_features = map_distance(student, normalize_map(attention_map(enlarged), "softmax"))
    np.testing.assert_allclose(by_features, golden["variant_resize_features_then_map"], **EXACT)
    softmax_first = resize_map(normalize_map(attention_map(deep), "softmax"), (12, 20))
    np.testing.assert_allclose(map_distance(student, softmax_first), golden["variant_softmax_then_resize"], **EXACT)
    mean_student = normalize_map(attention_map(feature(golden, "f1"), "mean"), "softmax")
    mean_target = normalize_map(resize_map(attention_map(deep, "mean"), (12, 20)), "softmax")
    by_mean = map_distance(mean_student, mean_target)
    np.testing.assert_allclose(by_mean, golden["variant_channel_mean_instead_of_sum"], **EXACT)


def test_attention_transfer_code_form(golden):
    maps = [normalize_map(attention_map(feature(golden, name), "mean")) for name in ("f2", "f3")]
    np.testing.assert_allclose(map_distance(*maps, "mean"), golden["at_code_f2_f3"], **EXACT)


def test_gradient_attention_goldens(golden):
    maps = {side: attention_map(feature(golden, f"grad{side}"), "sum", 1) for side in "ST"}
    for side, ours in maps.items():
        np.testing.assert_allclose(ours, golden[f"gradatt_sum_p1_{side}"], **EXACT)
    np.testing.assert_allclose(
        0.5 * map_distance(maps["S"], maps["T"], "sum"), golden["gradatt_l2sq_raw_half"], **EXACT
    )
    normalized = [normalize_map(maps[side]) for side in "ST"]
    np.testing.assert_allclose(map_distance(*normalized), golden["gradatt_l2norm_batchmean"], **EXACT)


def test_softmax_runs_over_the_pixels_and_not_over_the_batch(golden):
    alone = normalize_map(attention_map(feature(golden, "f2")[:1]), "softmax")
    assert float(alone.sum()) == pytest.approx(1)
    assert float(alone.max()) < 1  # over a batch of one it would be 1 everywhere
    both = normalize_map(attention_map(feature(golden, "f2")), "softmax")
    assert np.abs(both.numpy() - golden["variant_batch_axis_softmax_f2"]).max() > 0.1


def naive_map(values, mapping, power):
    out = np.zeros(values.shape[1:])
    for row, column in np.ndindex(*out.shape):
        strengths = [abs(value) ** power for value in values[:, row, column]]
        out[row, column] = {"sum": sum(strengths), "max": max(strengths), "mean": sum(strengths) / len(strengths)}[
            mapping
        ]
    return out


def naive_normalized(values, normalization, temperature):
    flat = values.ravel().tolist()
    if normalization == "l2":
        norm = math.sqrt(sum(value**2 for value in flat))
        return values / norm
    if normalization == "standardized":
        mean = sum(flat) / len(flat)
        deviation = math.sqrt(sum((value - mean) ** 2 for value in flat) / len(flat))
        flat = [(value - mean) / deviation for value in flat]
    powers = [math.exp(value / temperature) for value in flat]
    return np.array([power / sum(powers) for power in powers]).reshape(values.shape)


@pytest.mark.parametrize("normalization", ["l2", "softmax", "standardized"])
@pytest.mark.parametrize("mapping", ["sum", "mean", "max"])
def test_maps_equal_naive_loops(mapping, normalization):
    values = np.random.default_rng(2).normal(size=(3, 2, 2))
    raw = attention_map(torch.from_numpy(values)[None], mapping, 3)
    np.testing.assert_allclose(raw[0], naive_map(values, mapping, 3), rtol=1e-12)
    normalized = normalize_map(raw, normalization, temperature=2.0)
    # the deviation is held above 1e-6 of the map's peak, which shows in the last digits
    np.testing.assert_allclose(normalized[0], naive_normalized(raw[0].numpy(), normalization, 2.0), rtol=1e-9)


@pytest.mark.parametrize(("reduction", "expected"), [("sum", 10.0), ("batchmean", 5.0), ("mean", 10 / 8)])
def test_reductions_by_hand(reduction, expected):
    student = torch.tensor([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 3.0], [0.0, 0.0]]])
    assert float(map_distance(student, torch.zeros(2, 2, 2), reduction)) == pytest.approx(expected)


def test_l2_and_standardized_do_not_see_the_scale():
    raw = attention_map(torch.randn(2, 4, 3, 5, dtype=torch.float64))
    for normalization in ("l2", "standardized"):
        torch.testing.assert_close(normalize_map(raw * 1e-9, normalization), normalize_map(raw, normalization))


@pytest.mark.parametrize("normalization", ["l2", "softmax", "standardized"])
@pytest.mark.parametrize("power", [1, 2, 4])
@pytest.mark.parametrize("scale", [0.0, 1e-6, 1e3, 1e6])
def test_values_and_gradients_are_finite_at_every_scale(normalization, power, scale):
    leaf = (scale * torch.randn(2, 16, 6, 10, generator=torch.Generator().manual_seed(0))).requires_grad_()
    normalized = normalize_map(attention_map(leaf, "sum", power), normalization)
    map_distance(normalized, torch.rand(2, 6, 10)).backward()
    assert normalized.isfinite().all()
    assert leaf.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_raised(dtype):
    half = torch.full((1, 2, 2, 2), 300.0, dtype=dtype)  # its square overflows float16
    assert attention_map(half).dtype == torch.float32
    assert float(attention_map(half)[0, 0, 0]) == pytest.approx(180_000, rel=0.01)


def test_effective_support_counts_pixels():
    maps = torch.zeros(4, 3, 4)
    maps[0, 1, 2] = 7.0
    maps[1] = 0.2
    maps[2, 0, :2] = 1.0
    torch.testing.assert_close(effective_support(maps), torch.tensor([1.0, 12.0, 2.0, 0.0]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda maps: attention_map(maps[:, None], "median"), "expected sum, mean or max, got 'median'"),
        (lambda maps: normalize_map(maps, "minmax"), "expected l2, softmax or standardized, got 'minmax'"),
        (lambda maps: map_distance(maps, maps, "none"), "expected sum, batchmean or mean, got 'none'"),
    ],
    ids=["mapping", "normalization", "reduction"],
)
def test_unknown_choices_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.ones(1, 2, 2))
