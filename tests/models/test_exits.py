"""Exit heads: shapes, a start that expects background, refusals."""

import pytest
import torch

from lanenet_sad.models import NetworkSpec, enet
from lanenet_sad.models.exits import ExitHead

SPEC = NetworkSpec(channels=(6, 8, 8, 8), strides=(2, 4, 4, 4), num_lanes=3)


def features(size=(16, 32)):
    torch.manual_seed(0)
    return [torch.randn(2, c, size[0] // s, size[1] // s) for c, s in zip(SPEC.channels, SPEC.strides, strict=True)]


@pytest.mark.parametrize("block", [1, 2, 3, 4])
def test_an_exit_predicts_at_the_size_of_the_input(block):
    found = ExitHead(SPEC, block, width=16)(features())
    assert found.segmentation_logits.shape == (2, 4, 16, 32)
    assert found.existence_logits.shape == (2, 3)
    assert found.feature.shape == (2, 16, 16 // SPEC.strides[block - 1], 32 // SPEC.strides[block - 1])


def test_it_starts_from_nine_pixels_in_ten_are_background():
    torch.manual_seed(0)
    probs = ExitHead(SPEC, 2)(features()).segmentation_logits.softmax(dim=1)
    assert 0.8 < float(probs[:, 0].mean().detach()) < 0.95


def test_gradient_reaches_every_parameter_of_the_head_and_its_block():
    network = enet(dropout=0.0)
    head = ExitHead(network.spec, 2)
    found = head(network(torch.randn(2, 3, 16, 32)).features)
    (found.segmentation_logits.square().sum() + found.existence_logits.square().sum()).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in head.parameters())
    assert network.encoder.stage1[0].project[0].weight.grad.any()
    assert network.encoder.stage2[0].project[0].weight.grad is None


@pytest.mark.parametrize(
    ("block", "width", "message"),
    [
        (5, 64, r"^Exit 5: the encoder has blocks 1 to 4\.$"),
        (0, 64, r"^Exit 0: the encoder has blocks 1 to 4\.$"),
        (2, 0, r"^Exit 2: expected a width of at least 1, got 0\.$"),
    ],
)
def test_exits_that_cannot_be_are_refused(block, width, message):
    with pytest.raises(ValueError, match=message):
        ExitHead(SPEC, block, width=width)
