"""ERFNet: the published numbers of parameters, and the names of its authors' checkpoints."""

import pytest
import torch
from torch import nn

from lanenet_sad.models import erfnet


def count(*modules: nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def non_bottleneck(channels: int) -> int:
    """Four convolutions of three weights per channel pair with biases, and two normalisations."""
    return 4 * (3 * channels**2 + channels) + 2 * 2 * channels


def test_body_and_head_have_the_published_parameters():
    network = erfnet(existence_head="fixed", input_size=(288, 800))
    encoder, decoder = network.encoder, network.decoder
    blocks = {
        "E1": count(encoder.initial_block),
        "E2": count(*encoder.layers[:6]),
        "E3": count(*encoder.layers[6:11]),
        "E4": count(*encoder.layers[11:]),
        "decoder": count(decoder),
        "P1": count(network.existence_head),
    }
    assert blocks == {
        "E1": 396,
        "E2": 7_088 + 5 * non_bottleneck(64),
        "E3": 37_184 + 4 * non_bottleneck(128),
        "E4": 4 * non_bottleneck(128),
        "decoder": 73_920 + 2 * non_bottleneck(64) + 9_264 + 2 * non_bottleneck(16) + 325,
        "P1": 613_737,
    }
    assert count(network) == 2_677_018  # the published table: 2.68 M


def test_with_the_20_classes_of_cityscapes_the_body_has_its_authors_parameters():
    network = erfnet(num_lanes=19)
    assert count(network.encoder, network.decoder) == 2_064_256  # the paper: 2.06 M


def test_dilations_and_dropout_are_the_published_ones():
    encoder = erfnet().encoder
    blocks = [layer for layer in encoder.layers if hasattr(layer, "conv3x1_2")]
    assert [block.conv3x1_2.dilation[0] for block in blocks] == [1] * 5 + [2, 4, 8, 16] * 2
    assert [block.conv1x3_2.dilation[1] for block in blocks] == [1] * 5 + [2, 4, 8, 16] * 2
    assert [block.dropout.p for block in blocks] == [0.03] * 5 + [0.3] * 8
    assert {module.p for module in erfnet().decoder.modules() if isinstance(module, nn.Dropout2d)} == {0.0}


def test_blocks_are_initial_64_channels_and_both_halves_of_128():
    assert erfnet().spec.channels == (16, 64, 128, 128)
    assert erfnet().spec.strides == (2, 4, 8, 8)


def test_a_checkpoint_of_the_authors_loads(tmp_path):
    """Names as in the authors' code, whose pretraining puts a classifier behind the encoder."""
    state = {}
    for number, (into, out) in {None: (3, 16), 0: (16, 64), 6: (64, 128)}.items():
        name = "initial_block" if number is None else f"layers.{number}"
        state |= {
            f"{name}.conv.weight": torch.rand(out - into, into, 3, 3),
            f"{name}.conv.bias": torch.rand(out - into),
        }
        state |= {f"{name}.bn.{part}": torch.rand(out) for part in ("weight", "bias", "running_mean", "running_var")}
    for number in (*range(1, 6), *range(7, 15)):
        width = 64 if number < 6 else 128
        for pair in (1, 2):
            for kernel, shape in (("3x1", (3, 1)), ("1x3", (1, 3))):
                conv = f"layers.{number}.conv{kernel}_{pair}"
                state |= {f"{conv}.weight": torch.rand(width, width, *shape), f"{conv}.bias": torch.rand(width)}
            norm = f"layers.{number}.bn{pair}"
            state |= {f"{norm}.{part}": torch.rand(width) for part in ("weight", "bias", "running_mean", "running_var")}
    classifier = {"output_conv.weight": torch.rand(1000, 128, 1, 1), "output_conv.bias": torch.rand(1000)}
    content = {f"module.features.encoder.{name}": value for name, value in {**state, **classifier}.items()}
    torch.save({"state_dict": content | {"module.classifier.0.weight": torch.rand(3)}}, tmp_path / "w.pth.tar")
    loaded = erfnet(encoder_weights=tmp_path / "w.pth.tar").encoder.state_dict()
    counters = {name for name in loaded if name.endswith("num_batches_tracked")}
    assert loaded.keys() - counters == state.keys()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


@pytest.mark.parametrize("dropout", [0.2, (0.2, 0.2)])
def test_one_dropout_rate_is_for_both_stages(dropout):
    assert erfnet(dropout=dropout).recipe["dropout"] == [0.2, 0.2]
