"""Message passing by hand and against loops, and in the encoders of every builder."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lanenet_sad.lanes.view import InputView
from lanenet_sad.models import build_network, enet, erfnet, resnet
from lanenet_sad.models.message_passing import MessagePassing, RESAPassing, SCNNPassing
from lanenet_sad.models.weights import NetworkCard, load_weights, save_weights, start_from

SIZE = (32, 64)
BUILDERS = [
    pytest.param(enet, {}, id="enet"),
    pytest.param(enet, {"layout": "port"}, id="enet-port"),
    pytest.param(resnet, {}, id="resnet18"),
    pytest.param(erfnet, {}, id="erfnet"),
]
NAMES = pytest.mark.parametrize("name", ["scnn", "resa"])


def images(batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 3, *SIZE, generator=torch.Generator().manual_seed(0))


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def settled(network: nn.Module) -> nn.Module:
    """In evaluation mode with batch statistics, and with messages that count."""
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.momentum = 1.0
    if network.encoder.passing is not None:
        nn.init.ones_(network.encoder.passing.expand[1].weight)
    with torch.no_grad():
        network.train()(images())
    return network.eval()


def set_to_copy(conv: nn.Conv2d, factor: float) -> None:
    """The kernel whose middle hands a single channel on, times a factor."""
    nn.init.zeros_(conv.weight)
    with torch.no_grad():
        conv.weight[0, 0, conv.kernel_size[0] // 2, conv.kernel_size[1] // 2] = factor


def test_scnn_hands_a_pixel_to_all_rows_and_columns_behind_it():
    passing = SCNNPassing(1)
    for conv, factor in ((passing.down, 0.5), (passing.up, 0.0), (passing.right, 1.0), (passing.left, 0.0)):
        set_to_copy(conv, factor)
    feature = torch.zeros(1, 1, 4, 3)
    feature[0, 0, 1, 1] = 8.0
    expected = [[0, 0, 0], [0, 8, 8], [0, 4, 4], [0, 2, 2]]
    with torch.no_grad():
        assert passing(feature)[0, 0].tolist() == expected


def test_scnn_goes_up_and_left_too():
    passing = SCNNPassing(1)
    for conv, factor in ((passing.down, 0.0), (passing.up, 0.5), (passing.right, 0.0), (passing.left, 1.0)):
        set_to_copy(conv, factor)
    feature = torch.zeros(1, 1, 3, 3)
    feature[0, 0, 2, 1] = 8.0
    with torch.no_grad():
        assert passing(feature)[0, 0].tolist() == [[2, 2, 0], [4, 4, 0], [8, 8, 0]]


def test_resa_jumps_a_16th_an_8th_a_4th_and_a_half():
    torch.manual_seed(0)
    passing = RESAPassing(3, iterations=4, alpha=2.0).double()
    feature = torch.randn(2, 3, 16, 32, dtype=torch.float64)
    expected = feature
    with torch.no_grad():
        for convs, dim, direction in (
            (passing.down, 2, 1),
            (passing.up, 2, -1),
            (passing.right, 3, 1),
            (passing.left, 3, -1),
        ):
            length = feature.shape[dim]
            for conv, jump in zip(convs, (length // 16, length // 8, length // 4, length // 2), strict=True):
                rows = [(i + direction * jump) % length for i in range(length)]
                got = F.conv2d(expected.index_select(dim, torch.tensor(rows)), conv.weight, padding=conv.padding)
                expected = expected + 2.0 * got.clamp(min=0)
        torch.testing.assert_close(passing(feature), expected)


@pytest.mark.parametrize("size", [(2, 3), (1, 1), (5, 9)], ids=str)
@pytest.mark.parametrize("form", [SCNNPassing, RESAPassing])
def test_features_smaller_than_a_jump_keep_their_shape(form, size):
    feature = torch.rand(1, 4, *size)
    assert form(4)(feature).shape == feature.shape


@pytest.mark.parametrize(("form", "weights"), [(SCNNPassing, 4 * 9 * 32 * 32), (RESAPassing, 16 * 9 * 32 * 32)])
def test_the_weights_are_those_of_few_channels(form, weights):
    assert count(form(32)) == weights
    assert count(form(128)) == 16 * weights


@NAMES
def test_messages_do_not_grow_from_row_to_row(name):
    torch.manual_seed(0)
    passing = MessagePassing(64, name)
    with torch.no_grad():
        few = passing.reduce(torch.randn(1, 64, 36, 100))
        assert float(passing.messages(few).std() / few.std()) < 5


@NAMES
@pytest.mark.parametrize(("builder", "arguments"), BUILDERS)
def test_at_the_start_the_network_is_the_one_without(builder, arguments, name):
    torch.manual_seed(0)
    network = builder(message_passing=name, **arguments).eval()
    plain = copy.deepcopy(network)
    plain.encoder.passing = None
    with torch.no_grad():
        for ours, theirs in zip(network(images())[:2], plain(images())[:2], strict=True):
            torch.testing.assert_close(ours, theirs)


@NAMES
@pytest.mark.parametrize(("builder", "arguments"), BUILDERS)
def test_what_it_finds_changes_the_last_block_alone_and_all_that_reads_it(builder, arguments, name):
    network = settled(builder(message_passing=name, **arguments))
    plain = copy.deepcopy(network)
    plain.encoder.passing = None
    with torch.no_grad():
        ours, theirs = network(images()), plain(images())
    same = [torch.equal(a, b) for a, b in zip(ours.features, theirs.features, strict=True)]
    assert same == [True, True, True, False]
    assert not torch.allclose(ours.segmentation_logits, theirs.segmentation_logits)
    assert not torch.allclose(ours.existence_logits, theirs.existence_logits)
    assert [tuple(feature.shape) for feature in ours.features] == [tuple(feature.shape) for feature in theirs.features]


@NAMES
def test_gradient_reaches_every_parameter_once_the_first_step_is_done(name):
    torch.manual_seed(0)
    network = resnet(message_passing=name)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        network(images()).segmentation_logits.square().mean().backward()
        optimizer.step()
    assert all(parameter.grad.any() for parameter in network.encoder.passing.parameters())


@pytest.mark.parametrize(("builder", "arguments"), BUILDERS)
def test_a_cut_encoder_loses_it_with_the_last_block(builder, arguments):
    encoder = settled(builder(message_passing="resa", **arguments)).encoder
    with torch.no_grad():
        whole = encoder(images()).features
        encoder.cut_after(4)
        assert torch.equal(encoder(images()).features[3], whole[3])
        encoder.cut_after(3)
        assert torch.equal(encoder(images()).features[2], whole[2])
    assert encoder.passing is None
    assert not any(name.startswith("passing.") for name in encoder.state_dict())


@NAMES
@pytest.mark.parametrize("builder", [enet, resnet, erfnet])
def test_a_weight_file_brings_it_back_and_starts_a_network_without(builder, name, tmp_path):
    network = settled(builder(message_passing=name))
    path = tmp_path / "w.safetensors"
    save_weights(path, network, NetworkCard(network.recipe, InputView(SIZE, aspect=2.0)))
    loaded, _ = load_weights(path)
    with torch.no_grad():
        assert torch.equal(loaded(images()).segmentation_logits, network(images()).segmentation_logits)
    left = start_from(builder(), path)
    assert left
    assert all(part.startswith("encoder.passing.") and part.endswith("(not taken)") for part in left)


def test_weights_without_it_start_a_network_with_it(tmp_path):
    origin = resnet().eval()
    path = tmp_path / "w.safetensors"
    save_weights(path, origin, NetworkCard(origin.recipe, InputView(SIZE, aspect=2.0)))
    by_encoder = resnet(message_passing="resa", encoder_weights=path)
    assert torch.equal(by_encoder.encoder.conv1.weight, origin.encoder.conv1.weight)
    whole = resnet(message_passing="resa").eval()
    assert all(name.startswith("encoder.passing.") for name in start_from(whole, path))
    with torch.no_grad():
        torch.testing.assert_close(whole(images()).segmentation_logits, origin(images()).segmentation_logits)


def test_an_encoder_without_it_refuses_weights_that_were_trained_with_it(tmp_path):
    torch.save(erfnet(message_passing="scnn").encoder.state_dict(), tmp_path / "w.pt")
    with pytest.raises(ValueError, match=r"other keys: \d+ unknown \(such as passing\.expand"):
        erfnet(encoder_weights=tmp_path / "w.pt")


@pytest.mark.parametrize("builder", ["enet", "resnet", "erfnet"])
def test_an_unknown_form_is_refused(builder):
    message = rf"{builder} message_passing: expected scnn, resa or none, got 'gnn'"
    with pytest.raises(ValueError, match=message):
        build_network({"builder": builder, "message_passing": "gnn"})


@pytest.mark.parametrize("name", [pytest.param("scnn", marks=pytest.mark.slow), "resa"])
def test_the_exported_program_computes_the_same(name):
    network = settled(enet(message_passing=name, activation="relu"))
    program = torch.export.export(network, (images(1),))
    with torch.no_grad():
        torch.testing.assert_close(program.module()(images(1))[0], network(images(1)).segmentation_logits)


def test_enet_stays_small_with_it():
    counts = [count(enet(message_passing=name)) for name in (None, "scnn", "resa")]
    reduce_and_expand = 2 * 32 * 128 + 2 * 32 + 2 * 128
    assert [each - counts[0] for each in counts] == [0, 36_864 + reduce_and_expand, 147_456 + reduce_and_expand]
