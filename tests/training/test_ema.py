import pytest
import torch

from lanenet_sad.training.ema import WeightAverage


def test_the_average_follows_by_hand():
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(network.weight, 1.0)
    average = WeightAverage(network, 0.5)
    torch.nn.init.constant_(network.weight, 3.0)
    average.update(network, step=0)  # decay min(0.5, 1/10)
    assert float(average.state["weight"]) == pytest.approx(0.1 * 1 + 0.9 * 3)
    average.update(network, step=1000)  # decay 0.5
    assert float(average.state["weight"]) == pytest.approx(0.5 * 2.8 + 0.5 * 3)


def test_counters_are_copied():
    network = torch.nn.BatchNorm1d(2)
    average = WeightAverage(network, 0.9)
    network(torch.randn(4, 2))
    average.update(network, 0)
    assert int(average.state["num_batches_tracked"]) == 1


def test_a_decay_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="ema_decay"):
        WeightAverage(torch.nn.Linear(1, 1), 1.0)
