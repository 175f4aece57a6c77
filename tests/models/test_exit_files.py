"""Exits in weight files: ignored where nobody asks for them, whole networks by themselves where somebody does."""

from functools import partial

import pytest
import torch
from exit_factories import make_network_with_exits, write_weights_with_exits
from factories import write_weights

from lanenet_sad.lanes.view import InputView
from lanenet_sad.models import enet
from lanenet_sad.models.exits import truncate
from lanenet_sad.models.weights import NetworkCard, load_exits, load_weights, read_weights, save_weights, start_from


def test_a_file_with_exits_is_the_network_to_whom_asks_for_nothing_else(tmp_path):
    network, _ = make_network_with_exits()
    path = write_weights_with_exits(tmp_path / "w.safetensors")
    loaded, card = load_weights(path)
    images = torch.randn(1, 3, 32, 64)
    assert torch.equal(loaded(images).segmentation_logits, network(images).segmentation_logits)
    assert card.exits == {2: 10, 3: 11}
    assert read_weights(path)[1].keys() == network.state_dict().keys()
    assert start_from(enet(num_lanes=4, activation="relu"), path) == []


@pytest.mark.parametrize("block", [2, 3])
def test_an_exit_is_loaded_as_the_truncated_network(tmp_path, block):
    network, exits = make_network_with_exits()
    expected = truncate(network, exits[block])
    path = write_weights_with_exits(tmp_path / "w.safetensors")
    loaded, card = load_weights(path, exit=block)
    images = torch.randn(2, 3, 32, 64)
    ours, theirs = loaded(images), expected(images)
    assert torch.equal(ours.segmentation_logits, theirs.segmentation_logits)
    assert torch.equal(ours.existence_logits, theirs.existence_logits)
    assert not loaded.training
    assert loaded.recipe == card.recipe == expected.recipe
    assert card.exits == {}


def test_a_truncated_network_is_a_weight_file_like_any_other(tmp_path):
    loaded, card = load_weights(write_weights_with_exits(tmp_path / "w.safetensors"), exit=2)
    save_weights(tmp_path / "small.safetensors", loaded, card)
    again, _ = load_weights(tmp_path / "small.safetensors")
    images = torch.randn(1, 3, 32, 64)
    assert torch.equal(again(images).segmentation_logits, loaded(images).segmentation_logits)
    assert (tmp_path / "small.safetensors").stat().st_size < (tmp_path / "w.safetensors").stat().st_size / 2


def test_network_and_exits_come_back_together(tmp_path):
    network, exits = make_network_with_exits()
    found = load_exits(write_weights_with_exits(tmp_path / "w.safetensors"))
    images = torch.randn(1, 3, 32, 64)
    features = found.network(images).features
    for block, head in exits.items():
        expected = head(network(images).features)
        assert torch.equal(found.exits[block](features).segmentation_logits, expected.segmentation_logits)
        assert not found.exits[block].training
    assert load_exits(write_weights(tmp_path / "plain.safetensors")).exits == {}


@pytest.mark.parametrize(
    ("blocks", "exit", "message"),
    [
        ((), 2, r"w\.safetensors: there are no exits in this file; a run with BeYourOwnTeacher or DeepSupervision"),
        ((2, 3), 1, r"w\.safetensors: there is no exit 1; this network has exits 2 and 3\.$"),
        ((2, 3), 5, r"w\.safetensors: there is no exit 5, as the encoder has blocks 1 to 4; .* has exits 2 and 3\.$"),
        ((2, 3), 0, r"w\.safetensors: there is no exit 0, as the encoder has blocks 1 to 4; .* has exits 2 and 3\.$"),
        ((4,), 2, r"w\.safetensors: there is no exit 2; this network has exit 4\.$"),
    ],
    ids=["none", "other", "beyond", "zero", "one"],
)
def test_exits_that_are_not_there_are_one_sentence(tmp_path, blocks, exit, message):
    path = write_weights_with_exits(tmp_path / "w.safetensors", blocks)
    with pytest.raises(ValueError, match=message):
        load_weights(path, exit=exit)


def test_a_file_that_lacks_tensors_of_an_exit_is_refused(tmp_path):
    network, exits = make_network_with_exits((2,))
    del exits[2].existence_head.decide[2]
    card = NetworkCard(network.recipe, InputView((32, 64), aspect=2.5))
    save_weights(tmp_path / "w.safetensors", network, card, exits)
    for load in (load_exits, partial(load_weights, exit=2)):
        with pytest.raises(ValueError, match=r"w\.safetensors: they belong to another .*2 tensors are missing"):
            load(tmp_path / "w.safetensors")
    assert load_weights(tmp_path / "w.safetensors")
