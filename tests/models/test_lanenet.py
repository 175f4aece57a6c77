"""The contract of every network that a builder makes."""

import json

import pytest
import torch
from factories import make_targets
from torch import nn

from lanenet_sad.losses import LaneLoss
from lanenet_sad.models import LaneNet, build_network, enet

SIZE = (32, 64)
VARIANTS = [
    pytest.param({}, id="original"),
    pytest.param({"concat_e34": True}, id="original-concat"),
    pytest.param({"existence_head": "fixed", "input_size": SIZE}, id="original-fixed"),
    pytest.param({"layout": "port"}, id="port"),
    pytest.param({"layout": "pad"}, id="pad"),
]


def images(batch: int = 2, size: tuple[int, int] = SIZE, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(0)).to(dtype)


def settled(network: LaneNet) -> LaneNet:
    """In evaluation mode, with batch statistics of one batch: without them activations grow from block to block."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    network.train()(images())
    return network.eval()


@pytest.mark.parametrize("arguments", VARIANTS)
@pytest.mark.parametrize("num_lanes", [2, 4, 6, 8])
def test_shapes(arguments, num_lanes):
    network = enet(num_lanes=num_lanes, **arguments)
    output = network(images())
    assert output.segmentation_logits.shape == (2, num_lanes + 1, *SIZE)
    assert output.existence_logits.shape == (2, num_lanes)


@pytest.mark.parametrize("arguments", VARIANTS)
def test_features_match_the_spec(arguments):
    network = enet(**arguments)
    expected = [
        (2, channels, SIZE[0] // stride, SIZE[1] // stride)
        for channels, stride in zip(network.spec.channels, network.spec.strides, strict=True)
    ]
    assert [tuple(feature.shape) for feature in network(images()).features] == expected


def test_original_blocks_are_initial_and_stages_1_to_3():
    assert enet().spec.channels == (16, 64, 128, 128)
    assert enet().spec.strides == (2, 4, 8, 8)


@pytest.mark.parametrize("arguments", VARIANTS)
def test_gradient_reaches_every_parameter(arguments):
    torch.manual_seed(0)
    network = settled(enet(**arguments))  # batch statistics would take the effect of a bias out again
    output = network(images())
    (output.segmentation_logits.square().mean() + output.existence_logits.square().mean()).backward()
    dead = [
        name for name, parameter in network.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]
    assert dead == []


@pytest.mark.parametrize("arguments", VARIANTS)
def test_gradient_reaches_every_block(arguments):
    output = enet(**arguments)(images())
    gradients = torch.autograd.grad(output.segmentation_logits.square().mean(), output.features)
    assert all(gradient.any() for gradient in gradients)


@pytest.mark.parametrize(
    ("size", "fitting"), [((290, 800), "296x800"), ((288, 801), "288x808"), ((7, 7), "8x8")], ids=str
)
def test_odd_sizes_are_refused(size, fitting):
    with pytest.raises(ValueError) as raised:
        enet()(torch.zeros(1, 3, *size))
    assert str(raised.value) == (
        f"Input of {size[0]}x{size[1]} pixels: height and width must be multiples of 8; "
        f"the next fitting size is {fitting}."
    )


def test_fixed_head_refuses_another_size():
    network = enet(existence_head="fixed", input_size=SIZE)
    with pytest.raises(ValueError, match=r"Input of 40x64 pixels: .* was built for 32x64"):
        network(images(size=(40, 64)))


def test_pooled_head_takes_two_sizes():
    network = enet().eval()
    for size in ((32, 64), (48, 136)):
        output = network(images(size=size))
        assert output.segmentation_logits.shape[-2:] == size
        assert output.existence_logits.shape == (2, 4)


def test_float64_is_computed_in_float64():
    torch.manual_seed(0)
    network = settled(enet())
    single = network(images())
    double = network.double()(images(dtype=torch.float64))
    assert all(part.dtype == torch.float64 for part in (double[0], double[1], *double.features))
    torch.testing.assert_close(double.segmentation_logits.float(), single.segmentation_logits, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("arguments", VARIANTS)
def test_eval_is_deterministic_and_independent_of_the_batch(arguments):
    torch.manual_seed(0)
    network = settled(enet(**arguments)).double()
    batch = images(dtype=torch.float64)
    with torch.no_grad():
        together, again, alone = network(batch), network(batch), network(batch[:1])
    assert torch.equal(together.segmentation_logits, again.segmentation_logits)
    torch.testing.assert_close(together.segmentation_logits[:1], alone.segmentation_logits)
    torch.testing.assert_close(together.existence_logits[:1], alone.existence_logits)


@pytest.mark.parametrize("arguments", [*VARIANTS, pytest.param({"num_lanes": 6, "dropout": 0.02}, id="6 lanes")])
def test_recipe_rebuilds_the_network(arguments):
    network = enet(**arguments).eval()
    recipe = json.loads(json.dumps(network.recipe))
    rebuilt = build_network(recipe).eval()
    rebuilt.load_state_dict(network.state_dict())
    assert rebuilt.recipe == network.recipe
    with torch.no_grad():
        assert torch.equal(rebuilt(images()).segmentation_logits, network(images()).segmentation_logits)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"builder": "os.system"}, r"expected a builder out of enet, resnet, erfnet, exit, got 'os.system'"),
        ({}, r"expected a builder out of enet, resnet, erfnet, exit, got None"),
        ({"builder": "enet", "depth": 50}, r"enet has no argument 'depth'; it takes num_lanes"),
        ({"builder": "enet", "layout": "xl"}, r"expected one of original, port, pad, got 'xl'"),
        ({"builder": "enet", "existence_head": "big"}, r"expected pooled or fixed, got 'big'"),
        ({"builder": "enet", "existence_head": "fixed"}, r"needs input_size"),
        ({"builder": "enet", "existence_head": "fixed", "input_size": [290, 800]}, r"next fitting size is 296x800"),
        ({"builder": "enet", "num_lanes": 0}, r"expected at least 1, got 0"),
        ({"builder": "enet", "dropout": [0.1, 1.0]}, r"probabilities in \[0, 1\)"),
    ],
    ids=str,
)
def test_bad_recipes_are_refused(recipe, message):
    with pytest.raises(ValueError, match=message):
        build_network(recipe)


def test_input_size_without_effect_warns():
    with pytest.warns(UserWarning, match="input_size has no effect"):
        enet(input_size=SIZE)


@pytest.mark.parametrize("num_lanes", [2, 4, 8])
def test_an_untrained_network_expects_background_in_nine_pixels_of_ten(num_lanes):
    torch.manual_seed(0)
    with torch.no_grad():
        probs = enet(num_lanes=num_lanes)(images()).segmentation_logits.softmax(dim=1)
    assert float(probs[:, 0].mean()) == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize("layout", ["original", pytest.param("port", marks=pytest.mark.slow)])
def test_overfits_one_batch(layout):
    torch.manual_seed(0)
    targets = make_targets(size=SIZE)
    pictures = images() * 0.1
    pictures[:, 0] += (targets.lane_mask > 0).float()
    network, criterion = enet(layout=layout, dropout=0.0), LaneLoss()
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = torch.stack(list(criterion(network(pictures), targets).values())).sum()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.25 * losses[0]
