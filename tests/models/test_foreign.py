"""Published checkpoints become networks of ours that compute the same; what does not fit is named."""

from functools import cache

import numpy as np
import pytest
import torch
from factories import make_fixed_network, published_names, published_tensors
from safetensors.torch import load_file, save_file

from lanenet_sad.models.foreign import ORIGINS, convert_tensors, published_view, read_published, recognize

SIZE = (32, 64)
PORT, PAD = ORIGINS
network_of = cache(make_fixed_network)  # none of these tests changes it


@pytest.mark.parametrize("version", [0, 1, -1, None], ids=["newest", "second", "oldest", "all"])
@pytest.mark.parametrize("origin", ORIGINS, ids=["port", "pad"])
def test_a_published_state_dict_comes_back_tensor_by_tensor(tmp_path, origin, version):
    network = network_of(origin.layout, num_lanes=6)
    published = published_tensors(network, origin, version)
    assert recognize(published, tmp_path) is origin
    found = convert_tensors(published, origin, tmp_path, input_size=SIZE)
    assert not found.training
    assert found.num_lanes == 6
    ours, expected = found.state_dict(), network.state_dict()
    assert [name for name, value in expected.items() if not torch.equal(ours[name], value)] == []


@pytest.mark.parametrize("origin", ORIGINS, ids=["port", "pad"])
def test_no_two_tensors_of_ours_share_a_published_name(origin):
    names = [name for ours in network_of(origin.layout).state_dict() for name in published_names(origin, ours)]
    assert len(names) == len(set(names))
    assert all(origin.rename(name) is not None for name in names)


@pytest.mark.parametrize(("file", "origin"), [("port_enet_sad", PORT), ("pad_enet", PAD)], ids=["port", "pad"])
def test_the_goldens_give_the_published_outputs(shared, file, origin):
    folder = shared / "goldens" / "checkpoints"
    path = folder / f"{file}.safetensors"
    tensors = read_published(path)
    assert recognize(tensors, path) is origin
    network = convert_tensors(tensors, origin, path)
    images = np.random.RandomState(7).rand(1, 3, 288, 800).astype(np.float32)  # as the golden was made
    with torch.no_grad():
        output = network(torch.from_numpy(images))
    expected = np.load(folder / f"{file}_expected.npz")
    existence = output.existence_logits.sigmoid() if file.startswith("port") else output.existence_logits
    logits = output.segmentation_logits[:, :, ::8, ::8]
    np.testing.assert_allclose(logits, expected["segmentation_logits_sub"], atol=1e-5, rtol=0)
    np.testing.assert_allclose(existence, expected["existence"], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("name", "wrap"),
    [
        pytest.param("w.pth", lambda tensors: tensors, id="bare"),
        pytest.param("w.pth", lambda tensors: {"epoch": 3, "net": tensors, "optim": {"lr": 0.1}}, id="net"),
        pytest.param("w.pt", lambda tensors: {"model": tensors, "optimizer": None}, id="model"),
        pytest.param("w.pth.tar", lambda tensors: {"model": {"state_dict": tensors}}, id="twice"),
        pytest.param("w.pt", lambda tensors: {f"module.{name}": v for name, v in tensors.items()}, id="data-parallel"),
    ],
)
def test_wrappings_of_training_programs_are_taken_off(tmp_path, name, wrap):
    tensors = published_tensors(network_of("pad"), PAD, 0)
    torch.save(wrap(tensors), tmp_path / name)
    found = read_published(tmp_path / name)
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], value) for name, value in tensors.items())


def test_safetensors_are_read(tmp_path):
    tensors = published_tensors(network_of("pad"), PAD, 0)
    save_file(tensors, tmp_path / "w.safetensors")
    assert read_published(tmp_path / "w.safetensors").keys() == load_file(tmp_path / "w.safetensors").keys()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param({}, "it is empty", id="empty"),
        pytest.param({"epoch": 3}, "'epoch' is none", id="number"),
        pytest.param({"net": {"a": torch.ones(1), "b": "text"}}, "'b' is none", id="text-inside"),
        pytest.param({1: torch.ones(1)}, "1 is none", id="no-name"),
    ],
)
def test_a_file_without_named_tensors_is_refused(tmp_path, content, message):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(ValueError, match=f"w.pt: expected named tensors, .*; {message}"):
        read_published(tmp_path / "w.pt")


@pytest.mark.parametrize(
    ("size", "inputs"), [((288, 800), 4500), ((208, 976), 3965), ((368, 640), 4600), ((360, 640), 4400)]
)
def test_the_input_size_follows_from_the_existence_head(tmp_path, size, inputs):
    published = published_tensors(network_of("pad", size=size), PAD, 0)
    assert published["lane_classifier.linear1.weight"].shape == (128, inputs)
    assert convert_tensors(published, PAD, tmp_path).existence_head.input_size == size


def test_a_view_takes_the_whole_picture_of_the_benchmark():
    assert published_view((288, 800)).place((590, 1640)).top == 0
    assert published_view((368, 640)).place((720, 1280)).top == 0
    assert published_view((360, 640)).place((720, 1280)).top == 0
    assert published_view((208, 976)).place((590, 1640)).top == 0
    assert published_view((208, 976), 1640 / 350).place((590, 1640)).top == 240
    assert published_view((64, 128)).aspect == 2.0


def drop(name):
    return lambda tensors: tensors.pop(name)


def put(name, value):
    return lambda tensors: tensors.update({name: value})


def refuse(tmp_path, origin, change, message, **options):
    published = published_tensors(network_of(origin.layout), origin, 0)
    if origin is PORT:
        published |= {
            name.replace("encoder2.", "encoder3."): v for name, v in published.items() if name.startswith("encoder2.")
        }
    change(published)
    with pytest.raises(ValueError, match=message) as error:
        convert_tensors(published, origin, tmp_path / "w.pth", **{"input_size": SIZE, **options})
    assert f"w.pth: its names are those of {origin.repository}, but " in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("encoder.regular3_4.ext_conv1.0.weight"), r"encoder\.regular3_4\.ext_conv1\.0\.weight is missing"),
        (drop("lane_classifier.linear1.weight"), r"lane_classifier\.linear1\.weight is missing"),
        (drop("decoder.transposed_conv.weight"), r"decoder\.transposed_conv\.weight is missing"),
        (put("encoder_conv.weight", torch.ones(1)), r"encoder_conv\.weight has no place in that network\."),
        (
            put("encoder.dilated2_2.ext_conv2.0.weight", torch.ones(32, 32, 5, 5)),
            r"encoder\.dilated2_2\.ext_conv2\.0\.weight is \(32, 32, 5, 5\) instead of \(32, 32, 3, 3\)",
        ),
        (put("lane_classifier.linear2.bias", torch.ones(6)), r"linear2\.bias is \(6,\) instead of \(4,\)"),
        (put("decoder.transposed_conv.weight", torch.ones(16, 1, 3, 3)), "has 1 class; a background and at least"),
        (
            put("aux_head.linear2.bias", torch.ones(4)),
            r"lane_classifier\.linear2\.bias and aux_head\.linear2\.bias dif",
        ),
    ],
    ids=["missing", "no-head", "no-decoder", "unknown", "shape", "lanes", "bdd100k", "two-spellings"],
)
def test_a_tensor_that_does_not_fit_is_named(tmp_path, change, message):
    refuse(tmp_path, PAD, change, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            put("encoder3.regular2_1.ext_conv1.1.bias", torch.ones(32)),
            r"encoder2\.regular2_1\.ext_conv1\.1\.bias and encoder3\.regular2_1\.ext_conv1\.1\.bias differ",
        ),
        (put("encoder3.regular3_1.ext_conv1.1.bias", torch.ones(32)), r"no place in that network \(.*weight_share=Fal"),
    ],
    ids=["shared-differ", "unshared"],
)
def test_weights_that_should_be_shared_and_are_not_are_refused(tmp_path, change, message):
    refuse(tmp_path, PORT, change, message)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (None, r"reads 40 values, as none of the published input sizes gives \(288x800, .*\); say the size with --inp"),
        ((288, 800), "reads 40 values, and an input of 288x800 gives 4500"),
        ((30, 64), "the next fitting size is 32x64"),
    ],
    ids=["unknown", "other", "odd"],
)
def test_an_input_size_that_does_not_fit_is_refused(tmp_path, size, message):
    published = published_tensors(network_of("port"), PORT, 0)
    with pytest.raises(ValueError, match=message):
        convert_tensors(published, PORT, tmp_path, input_size=size)


def test_other_networks_are_not_recognized(tmp_path):
    tensors = {"conv1.weight": torch.ones(1), "layer1.0.conv1.weight": torch.ones(1), "fc.0.weight": torch.ones(1)}
    message = (
        r"expected the ENet of InhwanBae/.* and voldemortX/.*, got tensors such as 'conv1\.weight'; 1 of 3 names are"
    )
    with pytest.raises(ValueError, match=message):
        recognize(tensors, tmp_path / "w.pth")
