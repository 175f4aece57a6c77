import pytest
import torch
import torch.nn.functional as F

from lanenet_sad.models.decoder import unpool, unpool_by_comparison


@pytest.mark.parametrize("way", [unpool, unpool_by_comparison])
def test_unpool_puts_values_where_the_maxima_were(way):
    feature = torch.tensor([[[[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 0.0, 7.0]]]])
    pooled, indices = F.max_pool2d(feature, 2, return_indices=True)
    restored = way(pooled * 10, indices)
    torch.testing.assert_close(restored, torch.tensor([[[[0.0, 50.0, 0.0, 0.0], [0.0, 0.0, 0.0, 70.0]]]]))


def test_both_ways_agree_in_values_and_gradients():
    feature = torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    pooled, indices = F.max_pool2d(feature, 2, return_indices=True)
    weights = torch.randn_like(feature)
    gradients = []
    for way in (unpool, unpool_by_comparison):
        leaf = pooled.clone().requires_grad_()
        (way(leaf, indices) * weights).sum().backward()
        gradients.append(leaf.grad)
    assert torch.equal(unpool(pooled, indices), unpool_by_comparison(pooled, indices))
    assert torch.equal(*gradients)
