"""The verb: a published checkpoint -> a weight file that every other verb feeds as it was trained."""

import hashlib
import pickle

import pytest
import torch
from factories import (
    make_fixed_network,
    make_picture,
    published_tensors,
    write_culane_root,
    write_weights,
)

from lanenet_sad.cli import main
from lanenet_sad.convert import convert
from lanenet_sad.evaluate import evaluate
from lanenet_sad.inference.predictor import Predictor
from lanenet_sad.lanes.view import extract_view
from lanenet_sad.models.foreign import ORIGINS
from lanenet_sad.models.normalization import IMAGENET, Normalization
from lanenet_sad.models.weights import load_weights, start_from
from lanenet_sad.training import validation

PORT, PAD = ORIGINS
SIZE = (32, 64)


def write_published(path, origin):
    torch.save({"model": published_tensors(make_fixed_network(origin.layout), origin)}, path)
    return path


@pytest.mark.parametrize("origin", ORIGINS, ids=["port", "pad"])
def test_a_checkpoint_becomes_a_weight_file_on_the_command_line(tmp_path, capsys, origin):
    source, out = write_published(tmp_path / "model.pt", origin), tmp_path / "new" / "w.safetensors"
    words = ["convert", str(source), "--out", str(out), "--input-size", "32", "64", "--aspect", "2.5"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert f"the ENet of {origin.repository}, " in said
    assert "4 lane slots, input 32x64; wrote" in said
    network, card = load_weights(out)
    expected = make_fixed_network(origin.layout).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in network.state_dict().items())
    assert (card.view.input_size, card.view.aspect) == (SIZE, 2.5)
    assert card.history == {
        "converted_from": origin.repository,
        "file": "model.pt",
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
    }


@pytest.mark.parametrize(
    ("origin", "mean", "std"),
    [
        (PORT, (0.3598, 0.3653, 0.3662), (0.2573, 0.2663, 0.2756)),
        (PAD, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ],
    ids=["port", "pad"],
)
def test_the_predictor_feeds_it_as_its_program_did(tmp_path, origin, mean, std):
    out = tmp_path / "w.safetensors"
    convert(write_published(tmp_path / "model.pt", origin), out=out, input_size=SIZE)
    predictor, image = Predictor.from_weights(out, device="cpu"), make_picture((64, 160))
    fed: list[torch.Tensor] = []
    predictor.network.register_forward_pre_hook(lambda module, inputs: fed.append(inputs[0]))
    _, (placement,) = predictor.forward([image])
    view = torch.from_numpy(extract_view(image, placement)).permute(2, 0, 1)[None] / 255
    expected = (view - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    torch.testing.assert_close(fed[0], expected, rtol=1e-5, atol=1e-5)


def test_an_evaluation_feeds_it_so_too(tmp_path, monkeypatch):
    out = tmp_path / "w.safetensors"
    convert(write_published(tmp_path / "model.pt", PAD), out=out, input_size=SIZE)
    seen = []
    original = validation.normalize_image
    monkeypatch.setattr(validation, "normalize_image", lambda image, kind: seen.append(kind) or original(image, kind))
    root = write_culane_root(tmp_path / "culane", ((64, 160),))
    options = {"split": "train", "num_workers": 0, "canvas_width": 1640, "device": "cpu", "progress": False}
    evaluate("culane", root=root, weights=out, out=tmp_path / "e", **options)
    assert seen == [IMAGENET]


def test_training_from_it_says_that_pictures_were_normalised_otherwise(tmp_path):
    out = tmp_path / "w.safetensors"
    convert(write_published(tmp_path / "model.pt", PAD), out=out, input_size=SIZE)
    network = make_fixed_network("pad")
    with pytest.warns(UserWarning, match=r"normalised with mean \(0\.485, .* the first steps have to make up for that"):
        start_from(network, out)
    convert(write_published(tmp_path / "model.pt", PORT), out=out, input_size=SIZE)
    assert start_from(make_fixed_network("port"), out) == []  # a warning would be an error


def test_normalisations_are_checked():
    assert Normalization([0.5, 0.5, 0.5], [1, 1, 1]) == Normalization((0.5, 0.5, 0.5), (1.0, 1.0, 1.0))
    for mean, std in (((0.5, 0.5), (1, 1, 1)), ((0.5, 0.5, 0.5), (1, 1, 0))):
        with pytest.raises(ValueError, match="expected three means and three positive deviations"):
            Normalization(mean, std)


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('the bomb went off')",))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda path: None, "there is no such file", id="missing"),
        pytest.param(lambda path: path.mkdir(), "this is a folder; name one checkpoint file", id="folder"),
        pytest.param(lambda path: path.write_bytes(b"PK\x03\x04 not a zip"), "the file is damaged", id="garbage"),
        pytest.param(
            lambda path: path.write_bytes(pickle.dumps(Bomb())), "load it in Python yourself and save", id="pickle"
        ),
        pytest.param(
            lambda path: torch.save({"net": Bomb()}, path), "load it in Python yourself and save", id="pickle-inside"
        ),
        pytest.param(
            lambda path: torch.save({"card": "", "network": {}}, path), "file of lanenet-sad already", id="ours"
        ),
        pytest.param(
            lambda path: torch.save({"conv.weight": torch.ones(1)}, path), "tensors such as 'conv.weight'", id="other"
        ),
    ],
)
def test_a_source_that_cannot_be_converted_is_refused(tmp_path, capsys, make, message):
    make(tmp_path / "model.pt")
    out = tmp_path / "w.safetensors"
    assert main(["convert", str(tmp_path / "model.pt"), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "model.pt" in error
    assert len(error.strip().splitlines()) == 1
    assert not out.exists()


def test_our_own_weight_file_is_refused(tmp_path):
    source = write_weights(tmp_path / "ours.safetensors")
    with pytest.raises(ValueError, match=r"ours\.safetensors: this is a file of lanenet-sad already; every --weights"):
        convert(source, out=tmp_path / "w.safetensors")


def test_the_output_is_a_safetensors_file(tmp_path):
    source = write_published(tmp_path / "model.pt", PAD)
    with pytest.raises(ValueError, match=r"out: expected the name of a file that ends in \.safetensors, got .*w\.pt"):
        convert(source, out=tmp_path / "w.pt", input_size=SIZE)
