"""The contract of every network beside ENet (whose own is test_lanenet), and encoder checkpoints."""

import json
import pickle

import pytest
import torch
from factories import make_targets
from safetensors.torch import save_file
from torch import nn

from lanenet_sad import cli
from lanenet_sad.lanes.view import InputView
from lanenet_sad.losses import LaneLoss
from lanenet_sad.models import LaneNet, build_network, enet, erfnet, resnet
from lanenet_sad.models.weights import NetworkCard, load_weights, save_weights, start_from

SIZE = (32, 64)
NETWORKS = [
    pytest.param(resnet, {}, id="resnet18"),
    pytest.param(resnet, {"num_lanes": 6}, id="resnet18-6-lanes"),
    pytest.param(resnet, {"existence_head": "fixed", "input_size": SIZE}, id="resnet18-fixed"),
    pytest.param(erfnet, {}, id="erfnet"),
    pytest.param(erfnet, {"existence_head": "fixed", "input_size": SIZE, "num_lanes": 2}, id="erfnet-fixed-2-lanes"),
]


def images(batch: int = 2, size: tuple[int, int] = SIZE) -> torch.Tensor:
    return torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(0))


def settled(network: LaneNet) -> LaneNet:
    """In evaluation mode, with the batch statistics of one batch."""
    for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(images())
    return network.eval()


@pytest.mark.parametrize(("builder", "arguments"), NETWORKS)
def test_output_and_features_have_the_promised_shapes(builder, arguments):
    network = builder(**arguments)
    output = network(images())
    lanes = arguments.get("num_lanes", 4)
    assert output.segmentation_logits.shape == (2, lanes + 1, *SIZE)
    assert output.existence_logits.shape == (2, lanes)
    assert [tuple(feature.shape) for feature in output.features] == [
        (2, channels, SIZE[0] // stride, SIZE[1] // stride)
        for channels, stride in zip(network.spec.channels, network.spec.strides, strict=True)
    ]


@pytest.mark.parametrize(("builder", "arguments"), NETWORKS)
def test_gradient_reaches_every_parameter_and_block(builder, arguments):
    torch.manual_seed(0)
    network = settled(builder(**arguments))  # batch statistics would take the effect of a bias out again
    output = network(images())
    for feature in output.features:
        feature.retain_grad()
    (output.segmentation_logits.square().mean() + output.existence_logits.square().mean()).backward()
    dead = [
        name for name, parameter in network.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]
    assert dead == []
    assert all(feature.grad.any() for feature in output.features)


@pytest.mark.parametrize("builder", [resnet, erfnet])
def test_odd_sizes_are_refused(builder):
    with pytest.raises(ValueError, match=r"multiples of 8; the next fitting size is 40x72\.$"):
        builder()(torch.zeros(1, 3, 36, 66))


@pytest.mark.parametrize("builder", [resnet, erfnet])
def test_the_pooled_head_takes_two_sizes_and_the_fixed_head_one(builder):
    network = builder().eval()
    for size in ((32, 64), (48, 136)):
        assert network(images(1, size)).segmentation_logits.shape[-2:] == size
    with pytest.raises(ValueError, match=r"Input of 40x64 pixels: .* was built for 32x64"):
        builder(existence_head="fixed", input_size=SIZE)(images(1, (40, 64)))


@pytest.mark.parametrize("block", [1, 2, 3, 4])
@pytest.mark.parametrize("builder", [resnet, erfnet])
def test_a_cut_encoder_computes_the_same_up_to_its_end(builder, block):
    encoder = settled(builder()).encoder
    names, spec = set(encoder.state_dict()), encoder.spec
    with torch.no_grad():
        whole = encoder(images()).features
        encoder.cut_after(block)
        cut = encoder(images()).features
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(cut, whole[:block], strict=True))
    assert (encoder.spec.channels, encoder.spec.strides) == (spec.channels[:block], spec.strides[:block])
    assert set(encoder.state_dict()) <= names
    assert (set(encoder.state_dict()) < names) == (block < 4)
    with pytest.raises(ValueError, match=rf"Encoder block {block + 1}: the encoder has blocks 1 to {block}"):
        encoder.cut_after(block + 1)


@pytest.mark.parametrize("builder", [resnet, erfnet])
def test_every_layer_of_a_cut_encoder_is_used(builder):
    encoder = settled(builder()).encoder
    encoder.cut_after(2)
    encoder(images()).features[-1].square().mean().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())


@pytest.mark.parametrize(("builder", "arguments"), NETWORKS)
def test_a_weight_file_brings_the_network_back(builder, arguments, tmp_path):
    network = settled(builder(**arguments))
    save_weights(tmp_path / "w.safetensors", network, NetworkCard(network.recipe, InputView(SIZE, aspect=2.0)))
    loaded, card = load_weights(tmp_path / "w.safetensors")
    assert loaded.recipe == network.recipe == card.recipe
    with torch.no_grad():
        for ours, theirs in zip(loaded(images())[:2], network(images())[:2], strict=True):
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize("builder", [resnet, erfnet])
def test_another_lane_count_keeps_the_slots_around_the_ego_lane(builder, tmp_path):
    origin = settled(builder(num_lanes=4))
    save_weights(tmp_path / "w.safetensors", origin, NetworkCard(origin.recipe, InputView(SIZE, aspect=2.0)))
    network = builder(num_lanes=6).eval()
    assert start_from(network, tmp_path / "w.safetensors") == ["lane slot 1", "lane slot 6"]
    with torch.no_grad():
        ours, theirs = network(images()).segmentation_logits, origin(images()).segmentation_logits
    torch.testing.assert_close(ours[:, [0, 2, 3, 4, 5]], theirs)


@pytest.mark.parametrize(("builder", "arguments"), NETWORKS)
def test_the_exported_program_computes_the_same(builder, arguments):
    network = settled(builder(**arguments))
    program = torch.export.export(network, (images(1),))
    with torch.no_grad():
        exported, ours = program.module()(images(1)), network(images(1))
    torch.testing.assert_close(exported[0], ours.segmentation_logits)
    torch.testing.assert_close(exported[1], ours.existence_logits)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"builder": "resnet", "depth": 20}, r"resnet depth: expected one of 18, 34, 50, 101, got 20"),
        ({"builder": "resnet", "num_lanes": 0}, r"resnet num_lanes: expected at least 1, got 0"),
        ({"builder": "resnet", "dropout": 1.0}, r"resnet dropout: expected a probability in \[0, 1\), got 1.0"),
        ({"builder": "resnet", "existence_head": "fixed"}, r"resnet: existence_head='fixed' needs input_size"),
        (
            {"builder": "erfnet", "existence_head": "none"},
            r"erfnet existence_head: expected pooled or fixed, got 'none'",
        ),
        ({"builder": "erfnet", "num_lanes": 0}, r"erfnet num_lanes: expected at least 1"),
        ({"builder": "erfnet", "dropout": [0.1]}, r"erfnet dropout: expected one or two probabilities"),
        ({"builder": "erfnet", "layout": "pad"}, r"erfnet has no argument 'layout'"),
    ],
    ids=str,
)
def test_bad_recipes_are_refused(recipe, message):
    with pytest.raises(ValueError, match=message):
        build_network(recipe)


@pytest.mark.parametrize("builder", [resnet, erfnet])
def test_an_untrained_network_expects_background_in_nine_pixels_of_ten(builder):
    torch.manual_seed(0)
    with torch.no_grad():
        probs = builder()(images()).segmentation_logits.softmax(dim=1)
    assert float(probs[:, 0].mean()) == pytest.approx(0.9, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("builder", [resnet, erfnet])
def test_overfits_one_batch(builder):
    torch.manual_seed(0)
    targets = make_targets(size=SIZE)
    pictures = images() * 0.1
    pictures[:, 0] += (targets.lane_mask > 0).float()
    network, criterion = builder(dropout=0.0), LaneLoss()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = torch.stack(list(criterion(network(pictures), targets).values())).sum()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def random_state(encoder: nn.Module) -> dict[str, torch.Tensor]:
    return {
        name: torch.rand_like(value) if value.is_floating_point() else value
        for name, value in encoder.state_dict().items()
    }


def assert_taken(encoder: nn.Module, state: dict[str, torch.Tensor]) -> None:
    assert all(torch.equal(encoder.state_dict()[name], value) for name, value in state.items())


@pytest.mark.parametrize("prefix", ["", "module.", "backbone.", "module.features.encoder."])
@pytest.mark.parametrize("container", [None, "state_dict", "model"])
def test_an_encoder_is_found_where_programs_put_it(tmp_path, prefix, container):
    state = random_state(erfnet().encoder)
    outer = prefix.replace("encoder.", "").replace("backbone.", "")
    content = {f"{prefix}{name}": value for name, value in state.items()} | {
        f"{outer}classifier.weight": torch.zeros(3)
    }
    torch.save({container: content, "epoch": 3} if container else content, tmp_path / "w.pth")
    assert_taken(erfnet(encoder_weights=tmp_path / "w.pth").encoder, state)


@pytest.mark.parametrize(
    ("builder", "file"), [(enet, "w.safetensors"), (erfnet, "w.safetensors"), (enet, "last.pt"), (resnet, "last.pt")]
)
def test_the_encoder_of_our_own_files_is_taken_and_the_recipe_does_without_the_file(builder, file, tmp_path):
    origin = builder(num_lanes=2)
    card = NetworkCard(origin.recipe, InputView(SIZE, aspect=2.0))
    if file == "last.pt":
        torch.save({"card": card.to_json(), "network": origin.state_dict(), "ema": None}, tmp_path / file)
    else:
        save_weights(tmp_path / file, origin, card)
    network = builder(encoder_weights=tmp_path / file)
    assert_taken(network.encoder, origin.encoder.state_dict())
    (tmp_path / file).unlink()
    assert build_network(network.recipe).recipe == network.recipe


def test_the_moving_average_of_a_checkpoint_goes_before_its_last_weights(tmp_path):
    averaged = {f"encoder.{name}": value for name, value in random_state(erfnet().encoder).items()}
    torch.save({"network": erfnet().state_dict(), "ema": averaged}, tmp_path / "last.pt")
    network = erfnet(encoder_weights=tmp_path / "last.pt")
    assert_taken(network, averaged)


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('the bomb went off')",))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda path: None, "w.pth: there is no such file", id="missing"),
        pytest.param(lambda path: path.write_bytes(b"garbage"), "w.pth: the file is damaged", id="damaged"),
        pytest.param(lambda path: path.write_bytes(pickle.dumps(Bomb())), "it needs pickle", id="code"),
        pytest.param(lambda path: torch.save({"epoch": 3}, path), r"other keys: \d+ missing", id="empty"),
        pytest.param(
            lambda path: torch.save(enet().encoder.state_dict(), path),
            r"other keys: \d+ missing \(such as .*\), \d+ unknown \(such as .*\)\. Choose the model",
            id="another-architecture",
        ),
        pytest.param(
            lambda path: torch.save(
                {**(state := erfnet().encoder.state_dict()), "layers.3.bn1.bias": state["layers.3.bn1.bias"][:5]}, path
            ),
            r"other keys: layers\.3\.bn1\.bias is \(5,\) in the file, \(64,\) in the encoder",
            id="another-shape",
        ),
    ],
)
def test_a_file_that_is_no_checkpoint_of_this_encoder_is_refused(make, message, tmp_path):
    make(tmp_path / "w.pth")
    with pytest.raises((ValueError, FileNotFoundError), match=message) as error:
        erfnet(encoder_weights=tmp_path / "w.pth")
    assert "w.pth" in str(error.value)


def test_a_damaged_safetensors_file_is_refused(tmp_path):
    save_file({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").write_bytes((tmp_path / "w.safetensors").read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"w\.safetensors: not a readable safetensors file"):
        resnet(encoder_weights=tmp_path / "w.safetensors")


@pytest.mark.parametrize(("name", "builder"), [("enet", enet), ("resnet", resnet), ("erfnet", erfnet)])
def test_a_class_path_names_the_builder_though_a_module_has_its_name(name, builder, tmp_path, capsys):
    state = tmp_path / "w.pth"
    torch.save(builder().encoder.state_dict(), state)
    words = ["--config", "culane_enet_sad", "--root", "data", "--out", "runs", "--model", f"lanenet_sad.models.{name}"]
    with pytest.raises(SystemExit):
        cli.main(["train", *words, "--model.encoder-weights", str(state), "--print-config"])
    printed = capsys.readouterr().out
    assert f"class_path: lanenet_sad.models.{name}\n" in printed
    assert f"encoder_weights: {state}\n" in printed
    network = cli.parse("train", [*words, "--model.encoder-weights", str(state)])["model"]
    assert json.loads(json.dumps(network.recipe))["builder"] == name
    assert_taken(network.encoder, torch.load(state))
