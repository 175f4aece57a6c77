import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lanenet_sad.distillation.bifpn import BiFPN, fusion_weights

STRIDES = [(4, 8, 8), (2, 4, 8), (8, 8, 8), (2, 8), (4, 8, 16, 32)]


def features_for(strides, channels, size=(32, 64)):
    torch.manual_seed(0)
    return [torch.randn(2, c, size[0] // s, size[1] // s) for c, s in zip(channels, strides, strict=True)]


@pytest.mark.parametrize(("epsilon", "key"), [(1e-6, "fusion_w_eps1e-6"), (1e-4, "fusion_w_eps1e-4")])
def test_fusion_weights_are_those_of_the_goldens(shared, epsilon, key):
    golden = np.load(shared / "goldens" / "distillation" / "frskd.npz")
    weights = torch.from_numpy(golden["fusion_in"])
    np.testing.assert_allclose(fusion_weights(weights, epsilon), golden[key], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fusion_weights(weights.float(), epsilon), golden[key], rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("ends_at_finest", [True, False])
@pytest.mark.parametrize("strides", STRIDES, ids=str)
def test_maps_keep_the_blocks_sizes_and_every_parameter_learns(strides, ends_at_finest):
    channels, widths = [3, 4, 5, 6][: len(strides)], [8, 6, 7, 9][: len(strides)]
    features = features_for(strides, channels)
    pyramid = BiFPN(channels, strides, widths, num_layers=2, ends_at_finest=ends_at_finest)
    maps = pyramid(features)
    assert [one.shape[1] for one in maps] == widths
    assert [one.shape[2:] for one in maps] == [feature.shape[2:] for feature in features]
    read = maps[0] if ends_at_finest else maps[-1]
    read.square().sum().backward()
    idle = [name for name, parameter in pyramid.named_parameters() if parameter.grad is None]
    assert idle == []


@pytest.mark.parametrize("from_block", [0, 1, 2])
@pytest.mark.parametrize("ends_at_finest", [True, False])
def test_two_layers_carry_every_block_to_every_map(from_block, ends_at_finest):
    features = features_for((2, 4, 8), (3, 4, 5))
    pyramid = BiFPN((3, 4, 5), (2, 4, 8), (6, 6, 6), num_layers=2, ends_at_finest=ends_at_finest).eval()
    before = pyramid(features)
    features[from_block] = features[from_block] + 1
    for one, other in zip(before, pyramid(features), strict=True):
        assert not torch.allclose(one, other)


def test_a_layer_that_only_goes_up_is_what_it_says():
    features = features_for((4, 8), (3, 5))
    pyramid = BiFPN((3, 5), (4, 8), (4, 4), num_layers=1, weighted=False).eval()
    (layer,) = pyramid.layers
    lateral, deep = layer.laterals[0](features[0]), layer.laterals[1](features[1])
    fused = lateral + deep.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    finest, deepest = pyramid(features)
    torch.testing.assert_close(finest, layer.up_nodes[0].refine(F.relu(fused)))
    assert torch.equal(deepest, deep)


def test_weighted_fusion_takes_shares_and_plain_fusion_sums():
    features = features_for((8, 8), (4, 4))
    weighted = BiFPN((4, 4), (8, 8), (4, 4), num_layers=1, weighted=True).eval()
    plain = BiFPN((4, 4), (8, 8), (4, 4), num_layers=1, weighted=False).eval()
    plain.load_state_dict({k: v for k, v in weighted.state_dict().items() if not k.endswith(".weights")})
    # without a bias, half of the sum is what two equal shares make of it
    torch.testing.assert_close(weighted(features)[0] * 2, plain(features)[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("channels", "strides", "message"),
    [((8,), (4,), "at least two blocks, got 1"), ((8, 8), (4, 6), r"multiples of the one before, got \(4, 6\)")],
)
def test_what_cannot_be_a_pyramid_is_refused(channels, strides, message):
    with pytest.raises(ValueError, match=message):
        BiFPN(channels, strides, channels)
