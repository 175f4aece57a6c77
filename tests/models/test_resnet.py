"""ResNets: the published numbers of parameters, torchvision's and timm's checkpoints, and what dilation computes."""

import copy

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lanenet_sad.models import resnet
from lanenet_sad.models.resnet import ResNetEncoder

PLANS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
NUM_ENTRIES = {18: 122, 34: 218, 50: 320, 101: 626}  # of torchvision's state dicts


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def norm_shapes(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    vectors = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (channels,))
    return {f"{name}.{part}": shape for part, shape in {**vectors, "num_batches_tracked": ()}.items()}


def torchvision_shapes(depth: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of torchvision's state dict, written down from its documentation, classifier included."""
    expansion = 4 if depth >= 50 else 1
    shapes = {"conv1.weight": (64, 3, 7, 7)} | norm_shapes("bn1", 64)
    channels = 64
    for stage, num_blocks in enumerate(PLANS[depth], start=1):
        width = 32 * 2**stage
        for number in range(num_blocks):
            block = f"layer{stage}.{number}"
            kernels = (1, 3, 1) if expansion == 4 else (3, 3)
            outputs = (width, width, 4 * width) if expansion == 4 else (width, width)
            inputs = (channels, *outputs[:-1])
            for k, (kernel, out, into) in enumerate(zip(kernels, outputs, inputs, strict=True), start=1):
                shapes |= {f"{block}.conv{k}.weight": (out, into, kernel, kernel)} | norm_shapes(f"{block}.bn{k}", out)
            if number == 0 and channels != outputs[-1]:
                shapes[f"{block}.downsample.0.weight"] = (outputs[-1], channels, 1, 1)
                shapes |= norm_shapes(f"{block}.downsample.1", outputs[-1])
            channels = outputs[-1]
    return shapes | {"fc.weight": (1000, channels), "fc.bias": (1000,)}


def published_state(depth: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.rand(shape, generator=generator) if shape else torch.tensor(7)
        for name, shape in torchvision_shapes(depth).items()
    }


@pytest.mark.parametrize("depth", [18, 34, 50, 101])
def test_names_and_shapes_are_torchvisions(depth):
    with torch.device("meta"):
        ours = {name: tuple(value.shape) for name, value in ResNetEncoder(depth).state_dict().items()}
    theirs = torchvision_shapes(depth)
    assert len(theirs) == NUM_ENTRIES[depth]
    assert ours == {name: shape for name, shape in theirs.items() if not name.startswith("fc.")}


@pytest.mark.parametrize(
    ("depth", "size", "expected"),
    [
        (18, (288, 800), 11_819_593),
        (34, (288, 800), 21_927_753),
        (101, (288, 800), 43_339_849),
        (18, (368, 640), 11_832_393),
        (34, (368, 640), 21_940_553),
    ],
)
def test_the_fixed_form_has_the_published_parameters(depth, size, expected):
    with torch.device("meta"):
        assert count(resnet(depth=depth, existence_head="fixed", input_size=size)) == expected


def test_the_encoders_have_torchvisions_parameters_without_the_classifier():
    with torch.device("meta"):
        counts = [count(ResNetEncoder(depth)) for depth in (18, 34, 50, 101)]
    assert counts == [11_176_512, 21_284_672, 23_508_032, 42_500_160]


@pytest.mark.parametrize(("depth", "channels"), [(18, (64, 128, 256, 512)), (50, (256, 512, 1024, 2048))])
def test_blocks_are_conv2_to_conv5_at_stride_8(depth, channels):
    with torch.device("meta"):
        spec = ResNetEncoder(depth).spec
    assert (spec.channels, spec.strides) == (channels, (4, 8, 8, 8))


@pytest.mark.parametrize("depth", [18, 50])
def test_dilated_stages_compute_the_classifiers_values_at_its_pixels(depth):
    torch.manual_seed(0)
    dilated = ResNetEncoder(depth)
    images = torch.randn(2, 3, 64, 96)
    for norm in (module for module in dilated.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.momentum = 1.0
    with torch.no_grad():
        dilated(images)
    classifier = copy.deepcopy(dilated)  # as it was trained on ImageNet: stages 3 and 4 halve
    for stage in (classifier.layer3, classifier.layer4):
        for conv in (module for module in stage.modules() if isinstance(module, nn.Conv2d)):
            conv.dilation, conv.padding = (1, 1), tuple(length // 2 for length in conv.kernel_size)
        (stage[0].conv1 if depth == 18 else stage[0].conv2).stride = (2, 2)
        stage[0].downsample[0].stride = (2, 2)
    with torch.no_grad():
        ours, theirs = dilated.eval()(images).features, classifier.eval()(images).features
    torch.testing.assert_close(ours[2][..., ::2, ::2], theirs[2], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours[3][..., ::4, ::4], theirs[3], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("file", ["resnet18.pth", "model.safetensors"])
def test_a_published_checkpoint_loads_key_by_key(file, tmp_path):
    state = published_state(18)
    if file.endswith("safetensors"):  # as timm publishes
        save_file(state, tmp_path / file, metadata={"format": "pt"})
    else:
        torch.save(
            {name: nn.Parameter(v) if name.endswith("weight") else v for name, v in state.items()}, tmp_path / file
        )
    network = resnet(encoder_weights=tmp_path / file)
    loaded = network.encoder.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in state.items() if not name.startswith("fc."))
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert "encoder_weights" not in network.recipe


def test_an_old_checkpoint_without_batch_counters_loads(tmp_path):
    state = {name: value for name, value in published_state(18).items() if not name.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "w.pth")
    assert torch.equal(resnet(encoder_weights=tmp_path / "w.pth").encoder.bn1.bias, state["bn1.bias"])


@pytest.mark.parametrize(("depth", "other"), [(18, 34), (34, 18), (34, 50), (50, 34)])
def test_a_checkpoint_of_another_depth_is_refused_and_named(depth, other, tmp_path):
    # the names decide, so the tensors may be small
    save_file({name: torch.zeros(1) for name in torchvision_shapes(other)}, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match=rf"other keys: .*; it is a ResNet-{other}, the model has depth {depth}\."):
        resnet(depth=depth, encoder_weights=tmp_path / "w.safetensors")


def test_timms_variant_with_a_deep_stem_is_refused(tmp_path):
    state = published_state(18)
    for number, shape in (("0", (32, 3, 3, 3)), ("3", (32, 32, 3, 3)), ("6", (64, 32, 3, 3))):
        state[f"conv1.{number}.weight"] = torch.zeros(shape)
    del state["conv1.weight"]
    save_file(state, tmp_path / "resnet18d.safetensors")
    message = r"1 missing \(such as conv1\.weight\), 3 unknown \(such as conv1\.0\.weight\)\. Choose the model"
    with pytest.raises(ValueError, match=message):
        resnet(encoder_weights=tmp_path / "resnet18d.safetensors")


def test_a_wide_resnet_is_refused_by_its_shapes(tmp_path):
    state = published_state(18)
    state["layer1.0.conv1.weight"] = torch.zeros(128, 64, 3, 3)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(
        ValueError, match=r"layer1\.0\.conv1\.weight is \(128, 64, 3, 3\) in the file, \(64, 64, 3, 3\)"
    ):
        resnet(encoder_weights=tmp_path / "w.pth")


def test_the_existence_head_reads_the_softmax_of_the_coarse_logits():
    network = resnet(existence_head="fixed", input_size=(32, 64)).eval()
    images = torch.randn(1, 3, 32, 64)
    with torch.no_grad():
        output = network(images)
        coarse = network.decoder.coarse_logits(network.encoder(images))
        pooled = torch.nn.functional.avg_pool2d(coarse.softmax(dim=1), 2)
        expected = network.existence_head.decide(pooled.flatten(1))
        enlarged = torch.nn.functional.interpolate(coarse, size=(32, 64), mode="bilinear")
    torch.testing.assert_close(output.existence_logits, expected)
    torch.testing.assert_close(output.segmentation_logits, enlarged)


def test_bottlenecks_keep_the_promised_shapes():
    network = resnet(depth=50).eval()
    with torch.no_grad():
        output = network(torch.randn(1, 3, 32, 64))
    assert [tuple(feature.shape) for feature in output.features] == [
        (1, 256, 8, 16),
        (1, 512, 4, 8),
        (1, 1024, 4, 8),
        (1, 2048, 4, 8),
    ]
    assert output.segmentation_logits.shape == (1, 5, 32, 64)
