"""Exit heads: shapes, a start that expects background, refusals."""

import pytest
import torch

from lanenet_sad.models import NetworkSpec, build_network, enet, erfnet, resnet
from lanenet_sad.models.exits import ExitEnsemble, ExitHead, load_state_with_exits, state_with_exits, truncate

SPEC = NetworkSpec(channels=(6, 8, 8, 8), strides=(2, 4, 4, 4), num_lanes=3)


def features(size=(16, 32)):
    torch.manual_seed(0)
    return [torch.randn(2, c, size[0] // s, size[1] // s) for c, s in zip(SPEC.channels, SPEC.strides, strict=True)]


@pytest.mark.parametrize("block", [1, 2, 3, 4])
def test_an_exit_predicts_at_the_size_of_the_input(block):
    found = ExitHead(SPEC, block, width=16)(features())
    assert found.segmentation_logits.shape == (2, 4, 16, 32)
    assert found.existence_logits.shape == (2, 3)
    assert found.feature.shape == (2, 16, 16 // SPEC.strides[block - 1], 32 // SPEC.strides[block - 1])


def test_it_starts_from_nine_pixels_in_ten_are_background():
    torch.manual_seed(0)
    probs = ExitHead(SPEC, 2)(features()).segmentation_logits.softmax(dim=1)
    assert 0.8 < float(probs[:, 0].mean().detach()) < 0.95


def test_gradient_reaches_every_parameter_of_the_head_and_its_block():
    network = enet(dropout=0.0)
    head = ExitHead(network.spec, 2)
    found = head(network(torch.randn(2, 3, 16, 32)).features)
    (found.segmentation_logits.square().sum() + found.existence_logits.square().sum()).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in head.parameters())
    assert network.encoder.stage1[0].project[0].weight.grad.any()
    assert network.encoder.stage2[0].project[0].weight.grad is None


@pytest.mark.parametrize(
    ("block", "width", "message"),
    [
        (5, 64, r"^Exit 5: the encoder has blocks 1 to 4\.$"),
        (0, 64, r"^Exit 0: the encoder has blocks 1 to 4\.$"),
        (2, 0, r"^Exit 2: expected a width of at least 1, got 0\.$"),
    ],
)
def test_exits_that_cannot_be_are_refused(block, width, message):
    with pytest.raises(ValueError, match=message):
        ExitHead(SPEC, block, width=width)


NETWORKS = {
    "enet": lambda: enet(num_lanes=3),
    "port": lambda: enet(layout="port", num_lanes=3),
    "resnet": lambda: resnet(depth=18, num_lanes=3),
    "erfnet": lambda: erfnet(num_lanes=3, message_passing="resa", existence_head="fixed", input_size=(32, 64)),
}


def make_trained(name="enet"):
    """A network and exits of random numbers, in their normalisations too."""
    torch.manual_seed(0)
    network = NETWORKS[name]()
    exits = {block: ExitHead(network.spec, block, width=8 * block) for block in (1, 2, 4)}
    for module in (network, *exits.values()):
        for value in module.state_dict().values():
            if value.ndim == 1:
                value.add_(torch.rand_like(value) * 0.1)
    return network.eval(), {block: head.eval() for block, head in exits.items()}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("block", [1, 2, 4])
def test_a_truncated_network_predicts_what_its_exit_does(name, block):
    network, exits = make_trained(name)
    images = torch.randn(1, 3, 32, 64)
    whole = network(images)
    found, shortened = exits[block](whole.features), truncate(network, exits[block])
    output = shortened(images)
    assert torch.equal(output.segmentation_logits, found.segmentation_logits)
    assert torch.equal(output.existence_logits, found.existence_logits)
    assert len(output.features) == block == shortened.spec.num_blocks
    assert shortened.num_lanes == 3


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("block", [1, 2, 4])
def test_its_recipe_builds_an_equal_one_without_the_layers_behind(name, block):
    network, exits = make_trained(name)
    shortened = truncate(network, exits[block])
    built = build_network(shortened.recipe)
    assert built.recipe == shortened.recipe
    assert all(value.device.type == "cpu" and value.isfinite().all() for value in built.state_dict().values())
    built.load_state_dict(shortened.state_dict())
    images = torch.randn(1, 3, 32, 64)
    assert torch.equal(built.eval()(images).segmentation_logits, shortened(images).segmentation_logits)
    stages = {key.split(".")[1] for key in built.state_dict() if key.startswith("encoder.")}
    if name == "enet" and block == 1:
        assert stages == {"initial"}
    elif name == "erfnet":
        assert ("passing" in stages) == (block == 4)


def test_a_built_truncated_network_is_ready_to_train():
    network, exits = make_trained()
    built = build_network(truncate(network, exits[2]).recipe).train()
    torch.manual_seed(0)
    output = built(torch.randn(2, 3, 32, 64))
    (output.segmentation_logits.square().sum() + output.existence_logits.square().sum()).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in built.parameters())
    spread = output.features[-1].std().detach()
    assert 0.1 < float(spread) < 10


def test_message_passing_starts_as_nothing_in_a_truncated_network_too():
    torch.manual_seed(0)
    built = build_network({"builder": "exit", "network": erfnet(message_passing="resa").recipe, "block": 4})
    feature = torch.randn(1, built.spec.channels[-1], 4, 8)
    assert torch.equal(built.eval().encoder.passing(feature), feature)


def test_a_truncated_network_is_a_copy():
    network, exits = make_trained()
    before = network.encoder.initial.conv.weight.clone()
    torch.nn.init.zeros_(truncate(network, exits[2]).encoder.initial.conv.weight)
    assert torch.equal(network.encoder.initial.conv.weight, before)
    assert network.spec.num_blocks == 4


def test_a_recipe_beyond_the_last_block_is_refused():
    recipe = {"builder": "exit", "network": enet().recipe, "block": 5}
    with pytest.raises(ValueError, match=r"^Exit 5: the encoder has blocks 1 to 4\.$"):
        build_network(recipe)


def test_an_ensemble_believes_the_mean_of_its_members():
    network, exits = make_trained()
    images = torch.randn(2, 3, 32, 64)
    whole = network(images)
    members = [whole, *(head(whole.features) for head in exits.values())]
    output = ExitEnsemble(network, exits)(images)
    pixels = torch.stack([each.segmentation_logits.softmax(1) for each in members]).mean(0)
    lanes = torch.stack([each.existence_logits.sigmoid() for each in members]).mean(0)
    torch.testing.assert_close(output.segmentation_logits.softmax(1), pixels)
    torch.testing.assert_close(output.existence_logits.sigmoid(), lanes)


def test_states_with_exits_come_back():
    network, exits = make_trained()
    state = {name: value.clone() for name, value in state_with_exits(network, exits).items()}
    for module in (network, *exits.values()):
        for value in module.state_dict().values():
            value.zero_()
    load_state_with_exits(network, exits, state)
    again = state_with_exits(network, exits)
    assert state.keys() == again.keys()
    assert all(torch.equal(again[name], value) for name, value in state.items())
    assert {name.split(".")[1] for name in state if name.startswith("exits.")} == {"1", "2", "4"}
