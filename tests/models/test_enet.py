"""Parameter counts of the published networks; test_foreign.py shows that they compute the same."""

import pytest
from torch import nn

from lanenet_sad.models import enet

PAPER_SIZE = (288, 800)


def count(*modules: nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def paper_net(**arguments):
    return enet(existence_head="fixed", input_size=PAPER_SIZE, **arguments)


def test_original_has_the_papers_parameters():
    network = paper_net()
    assert count(network) == 977_138


def test_original_parts_have_the_audited_parameters():
    network = paper_net()
    encoder, decoder = network.encoder, network.decoder
    parts = {
        "initial": count(encoder.initial),
        "E2": count(encoder.down1, encoder.stage1),
        "E3": count(encoder.down2, encoder.stage2),
        "E4": count(encoder.stage3),
        "D1": count(decoder.up4, decoder.stage4),
        "D2": count(decoder.up5, decoder.stage5),
        "full": count(decoder.full),
        "P1": count(network.existence_head),
    }
    assert parts == {
        "initial": 412,
        "E2": 23_280,
        "E3": 168_288,
        "E4": 146_176,
        "D1": 23_024,
        "D2": 1_896,
        "full": 325,
        "P1": 613_737,
    }


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"concat_e34": True}, 987_378),
        ({"layout": "port"}, 817_331),
        ({"layout": "pad"}, 963_359),
    ],
    ids=["concat", "port", "pad"],
)
def test_variants_have_the_published_parameters(arguments, expected):
    assert count(paper_net(**arguments)) == expected


@pytest.mark.parametrize(
    ("size", "inputs"),
    [((208, 976), 3_965), ((368, 640), 4_600), ((288, 960), 5_400)],
    ids=["crop", "tusimple", "llamas"],
)
def test_fixed_head_has_the_published_width(size, inputs):
    network = enet(existence_head="fixed", input_size=size)
    assert network.existence_head.decide[0].in_features == inputs


def test_original_has_no_dropout_in_the_decoder_and_two_rates_in_the_encoder():
    network = enet()
    rates = {name: module.p for name, module in network.named_modules() if isinstance(module, nn.Dropout2d)}
    stage1 = {rate for name, rate in rates.items() if name.startswith(("encoder.down1", "encoder.stage1"))}
    deeper = {
        rate for name, rate in rates.items() if name.startswith(("encoder.down2", "encoder.stage2", "encoder.stage3"))
    }
    decoder = {rate for name, rate in rates.items() if name.startswith("decoder")}
    assert (stage1, deeper, decoder) == ({0.01}, {0.1}, {0.0})


def test_original_asymmetric_pair_is_row_first_with_one_bias():
    first, second = (module for module in enet().encoder.stage2[2].transform if isinstance(module, nn.Conv2d))
    assert (first.kernel_size, first.bias) == ((1, 5), None)
    assert second.kernel_size == (5, 1)
    assert second.bias is not None


def test_with_relu_nothing_but_the_slopes_goes():
    slopes = sum(m.weight.numel() for m in paper_net().modules() if isinstance(m, nn.PReLU))
    assert count(paper_net(activation="relu")) == 977_138 - slopes
    assert not any(isinstance(m, nn.PReLU) for m in paper_net(activation="relu").modules())
    with pytest.raises(ValueError, match="expected prelu or relu, got 'gelu'"):
        enet(activation="gelu")
