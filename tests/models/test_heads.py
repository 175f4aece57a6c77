import pytest
import torch
import torch.nn.functional as F

from lanenet_sad.models.heads import PooledExistenceHead, grid_average


def test_grid_average_is_adaptive_pooling_where_cells_fall_on_pixels():
    feature = torch.randn(2, 3, 18, 50, dtype=torch.float64)
    torch.testing.assert_close(grid_average(feature, (9, 25)), F.adaptive_avg_pool2d(feature, (9, 25)))


@pytest.mark.parametrize("size", [(9, 25), (4, 8), (13, 61), (36, 100)], ids=str)
def test_grid_average_keeps_the_mean_at_every_size(size):
    feature = torch.randn(2, 3, *size, dtype=torch.float64)
    torch.testing.assert_close(grid_average(feature, (9, 25)).mean(dim=(2, 3)), feature.mean(dim=(2, 3)))


def test_grid_average_shares_a_pixel_between_two_cells():
    feature = torch.tensor([[[[6.0, 3.0, 9.0]]]])
    averaged = grid_average(feature, (1, 2))  # each cell covers one pixel and a half
    torch.testing.assert_close(averaged, torch.tensor([[[[5.0, 7.0]]]]))


def test_pooled_head_tells_left_from_right():
    torch.manual_seed(0)
    classify = torch.nn.Conv2d(1, 3, 1)
    head = PooledExistenceHead(classify, num_lanes=2)
    feature = torch.zeros(1, 1, 18, 50)
    feature[..., :10] = 5.0
    difference = (head(feature) - head(feature.flip(3))).abs().max()
    assert difference > 1e-3
