import json
import pickle

import pytest
import torch
from factories import write_weights
from safetensors.torch import save_file

from lanenet_sad.lanes.view import InputView
from lanenet_sad.models import enet
from lanenet_sad.models.weights import NetworkCard, load_weights, save_weights


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
