import json
import pickle

import pytest
import torch
from factories import write_weights
from safetensors.torch import save_file

from lanenet_sad.lanes.view import InputView
from lanenet_sad.models import enet
from lanenet_sad.models.lanenet import LaneNet
from lanenet_sad.models.normalization import IMAGENET, Normalization
from lanenet_sad.models.weights import NetworkCard, load_weights, save_weights, start_from


def test_what_is_saved_comes_back(tmp_path):
    network = enet(num_lanes=6, existence_head="fixed", input_size=(32, 64)).eval()
    card = NetworkCard(network.recipe, InputView((32, 64), aspect=2.0, crop_top=0.25), {"steps": 7})
    save_weights(tmp_path / "w.safetensors", network, card)
    loaded, found = load_weights(tmp_path / "w.safetensors")
    images = torch.randn(1, 3, 32, 64)
    assert found == card
    assert not loaded.training
    torch.testing.assert_close(loaded(images).segmentation_logits, network(images).segmentation_logits)


def test_a_card_is_plain_json():
    card = NetworkCard({"builder": "enet"}, InputView((32, 64), aspect=2.0), {"benchmark": "culane"})
    assert json.loads(card.to_json())["view"] == {"input_size": [32, 64], "aspect": 2.0, "crop_top": None}
    assert NetworkCard.from_json(card.to_json()) == card


class Bomb:
    def __reduce__(self):
        raise_it = "raise SystemExit('the bomb went off')"
        return (exec, (raise_it,))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda path: None, "there is no such file", id="missing"),
        pytest.param(lambda path: path.write_bytes(b""), "damaged", id="empty"),
        pytest.param(lambda path: path.write_bytes(b"PK\x03\x04 not a zip"), "damaged", id="garbage"),
        pytest.param(lambda path: path.write_bytes(pickle.dumps(Bomb())), "or it needs pickle", id="pickle-with-code"),
        pytest.param(lambda path: torch.save(Bomb(), path), "or it needs pickle", id="torch-file-with-code"),
        pytest.param(lambda path: torch.save({"state_dict": {}}, path), "expected a checkpoint of", id="other-dict"),
        pytest.param(lambda path: torch.save([1], path), "got a list", id="no-dict"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused_with_a_reason(tmp_path, make, message):
    path = tmp_path / "w.pt"
    make(path)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as error:
        load_weights(path)
    assert "w.pt" in str(error.value)


def test_foreign_safetensors_are_refused(tmp_path):
    save_file({"x": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="expected a file written by lanenet-sad"):
        load_weights(tmp_path / "w.safetensors")


def test_a_truncated_file_is_refused(tmp_path):
    path = write_weights(tmp_path / "w.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        load_weights(path)


def test_tensors_that_do_not_fit_the_recipe_are_refused(tmp_path):
    network = enet(num_lanes=4)
    recipe = {**network.recipe, "num_lanes": 6}
    save_weights(tmp_path / "w.safetensors", network, NetworkCard(recipe, InputView((32, 64), aspect=2.0)))
    with pytest.raises(ValueError, match=r"another architecture or lane count: .* in the file, .* in the network"):
        load_weights(tmp_path / "w.safetensors")


def test_an_unknown_architecture_is_refused(tmp_path):
    recipe = {"builder": "os.system"}
    save_weights(tmp_path / "w.safetensors", enet(), NetworkCard(recipe, InputView((32, 64), aspect=2.0)))
    with pytest.raises(ValueError, match="expected a builder out of"):
        load_weights(tmp_path / "w.safetensors")


SIZE = (144, 400)  # where the pooled head's grid is the fixed head's


def make_trained(seed: int = 0, **options) -> LaneNet:
    """A network of random numbers, in its normalisations and biases too."""
    torch.manual_seed(seed)
    network = enet(**options).eval()
    for value in network.state_dict().values():
        if value.ndim == 1:
            value.add_(torch.rand_like(value) * 0.01)
    return network


def save_trained(path, **options) -> LaneNet:
    network = make_trained(**options)
    save_weights(path, network, NetworkCard(network.recipe, InputView(SIZE, aspect=2.5)))
    return network


@pytest.mark.parametrize("layout", ["original", "port", "pad"])
def test_starting_an_equal_network_gives_the_same_outputs(tmp_path, layout):
    origin = save_trained(tmp_path / "w.safetensors", layout=layout)
    network = make_trained(seed=1, layout=layout)
    assert start_from(network, tmp_path / "w.safetensors") == []
    images = torch.randn(2, 3, 32, 64)
    ours, theirs = network(images), origin(images)
    assert torch.equal(ours.segmentation_logits, theirs.segmentation_logits)
    assert torch.equal(ours.existence_logits, theirs.existence_logits)


@pytest.mark.parametrize("layout", ["original", "port"])
@pytest.mark.parametrize(
    ("num_lanes", "kept", "new"),
    [(6, {0: 0, 2: 1, 3: 2, 4: 3, 5: 4}, [1, 6]), (2, {0: 0, 1: 2, 2: 3}, []), (5, {k: k for k in range(5)}, [5])],
    ids=["more", "fewer", "odd"],
)
def test_another_lane_count_keeps_the_slots_around_the_ego_lane(tmp_path, layout, num_lanes, kept, new):
    origin = save_trained(tmp_path / "w.safetensors", layout=layout)
    network = make_trained(seed=1, num_lanes=num_lanes, layout=layout)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert start_from(network, tmp_path / "w.safetensors") == [f"lane slot {slot}" for slot in new]
    images = torch.randn(2, 3, 32, 64)
    ours, theirs = network(images).segmentation_logits, origin(images).segmentation_logits
    for slot, origin_slot in kept.items():  # background too
        torch.testing.assert_close(ours[:, slot], theirs[:, origin_slot])
    head, origin_head = network.existence_head.state_dict(), origin.existence_head.state_dict()
    columns = head["decide.0.weight"].view(128, num_lanes + 1, -1)
    origin_columns = origin_head["decide.0.weight"].view(128, 5, -1)
    for slot, origin_slot in kept.items():
        assert torch.equal(columns[:, slot], origin_columns[:, origin_slot])
        if slot:
            assert torch.equal(head["decide.2.bias"][slot - 1], origin_head["decide.2.bias"][origin_slot - 1])
            assert torch.equal(head["decide.2.weight"][slot - 1], origin_head["decide.2.weight"][origin_slot - 1])
    for slot in new:
        full, initial = network.decoder.full.weight, before["decoder.full.weight"]
        assert torch.equal(full[:, slot], initial[:, slot])
        assert torch.equal(head["decide.2.weight"][slot - 1], before["existence_head.decide.2.weight"][slot - 1])


@pytest.mark.parametrize("num_lanes", [4, 6])
def test_a_pooled_head_starts_from_a_fixed_one_of_its_grid(tmp_path, num_lanes):
    origin = save_trained(tmp_path / "w.safetensors", existence_head="fixed", input_size=SIZE, layout="pad")
    network = make_trained(seed=1, num_lanes=num_lanes, layout="pad")
    new_slots = [] if num_lanes == 4 else ["lane slot 1", "lane slot 6"]
    assert start_from(network, tmp_path / "w.safetensors") == new_slots
    if num_lanes == 4:
        images = torch.randn(1, 3, *SIZE)
        torch.testing.assert_close(network(images).existence_logits, origin(images).existence_logits)


def test_a_head_of_another_size_keeps_what_fits(tmp_path):
    save_trained(tmp_path / "w.safetensors", existence_head="fixed", input_size=(64, 64))
    network = make_trained(seed=1)
    assert start_from(network, tmp_path / "w.safetensors") == ["existence_head.decide.0.weight"]


def test_weights_of_an_unrelated_architecture_are_refused_and_leave_the_network_alone(tmp_path):
    save_trained(tmp_path / "w.safetensors", layout="port")
    network = make_trained(seed=1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    message = r"w\.safetensors: they belong to another architecture: \d+ of the encoder's \d+ tensors fit\. Build"
    with pytest.raises(ValueError, match=message):
        start_from(network, tmp_path / "w.safetensors")
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_relu_weights_start_a_network_with_prelu_as_the_same_function(tmp_path):
    origin = save_trained(tmp_path / "w.safetensors", activation="relu")
    network = make_trained(seed=1)
    assert start_from(network, tmp_path / "w.safetensors") == []
    images = torch.randn(2, 3, 32, 64)
    torch.testing.assert_close(network(images).segmentation_logits, origin(images).segmentation_logits)


def test_slopes_that_a_network_with_relu_has_no_place_for_are_named(tmp_path):
    save_trained(tmp_path / "w.safetensors")
    left = start_from(make_trained(seed=1, activation="relu"), tmp_path / "w.safetensors")
    assert "encoder.initial.activation.weight (not taken)" in left
    assert all(name.endswith("(not taken)") for name in left)


def test_a_card_keeps_the_normalisation_and_older_cards_have_the_usual_one():
    card = NetworkCard({"builder": "enet"}, InputView((32, 64), aspect=2.0), normalization=IMAGENET)
    assert NetworkCard.from_json(card.to_json()) == card
    older = json.loads(card.to_json())
    del older["normalization"]
    assert NetworkCard.from_json(json.dumps(older)).normalization == Normalization()
