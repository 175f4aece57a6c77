import pytest
import torch

from lanenet_sad.models import enet
from lanenet_sad.models.perturbation import perturb_weights


def values_of(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_noise_is_relative_to_each_tensor_and_goes_away():
    torch.manual_seed(0)
    network = enet()
    before = values_of(network)
    with perturb_weights(network, 0.1, seed=3):
        during = values_of(network)
    after = values_of(network)
    assert all(torch.equal(value, before[name]) for name, value in after.items())
    for name in ("encoder.stage2.0.project.0.weight", "existence_head.decide.0.weight"):
        noise = during[name] - before[name]
        assert float(noise.std()) == pytest.approx(0.1 * float(before[name].std()), rel=0.1)
    changed = {name for name, value in during.items() if not torch.equal(value, before[name])}
    assert changed == {name for name, value in network.named_parameters() if value.ndim >= 2}


def test_a_seed_is_one_noise_and_another_is_another():
    network = torch.nn.Linear(4, 3)
    found = []
    for seed in (0, 0, 1):
        with perturb_weights(network, 0.5, seed):
            found.append(network.weight.detach().clone())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_weights_come_back_after_an_error_and_no_noise_is_no_change():
    network = torch.nn.Linear(4, 3)
    before = network.weight.detach().clone()
    with pytest.raises(RuntimeError, match="in between"), perturb_weights(network, 1.0, 0):
        raise RuntimeError("in between")
    assert torch.equal(network.weight, before)
    with perturb_weights(network, 0.0, 0):
        assert torch.equal(network.weight, before)


@pytest.mark.parametrize("sigma", [-0.1, float("nan"), float("inf")])
def test_a_deviation_that_makes_no_sense_is_refused(sigma):
    with (
        pytest.raises(ValueError, match="expected a finite relative deviation of 0 or more"),
        perturb_weights(torch.nn.Linear(1, 1), sigma, 0),
    ):
        pass
