import numpy as np
import pytest

from lanenet_sad.training.schedule import Schedule, sigmoid_ramp


def test_the_learning_rate_is_poly_after_the_warm_up():
    schedule = Schedule(max_steps=100, warmup_steps=10, power=0.9)
    assert schedule.learning_rate_scale(0) == pytest.approx(0.1)
    assert schedule.learning_rate_scale(50) == pytest.approx(0.5**0.9)
    assert schedule.learning_rate_scale(99) < 0.02


@pytest.mark.parametrize(
    ("schedule", "start"),
    [
        pytest.param(Schedule(max_steps=60_000), 40_000, id="culane"),
        pytest.param(Schedule(max_steps=1_800), 1_200, id="tusimple"),
        pytest.param(Schedule(max_steps=90, distillation_start=0), 0, id="from-the-first-step"),
    ],
)
def test_distillation_starts_after_two_thirds_unless_told_otherwise(schedule, start):
    assert schedule.start == start


def test_distillation_is_off_then_ramps_up_to_one():
    schedule = Schedule(max_steps=300, distillation_ramp=0.1)
    scales = [schedule.distillation_scale(step) for step in range(300)]
    assert scales[:200] == [0.0] * 200
    assert scales[200] == pytest.approx(1 / 30)
    assert scales[229] == 1.0
    assert scales == sorted(scales)


def test_the_sigmoid_ramp_is_that_of_the_goldens(shared):
    golden = np.load(shared / "goldens" / "distillation" / "frskd.npz")
    ramp = [sigmoid_ramp(progress / 20) for progress in golden["rampup_x"]]
    np.testing.assert_allclose(ramp, golden["rampup_len20"], rtol=1e-9, atol=1e-12)

    schedule = Schedule(max_steps=200, distillation_start=50, distillation_ramp=0.1, distillation_ramp_shape="sigmoid")
    scales = [schedule.distillation_scale(49 + int(done)) for done in golden["rampup_x"]]
    np.testing.assert_allclose(scales, [0.0, *golden["rampup_len20"][1:]], rtol=1e-9, atol=1e-12)
    assert schedule.distillation_scale(199) == 1.0


@pytest.mark.parametrize("shape", ["linear", "sigmoid"])
def test_without_a_ramp_it_acts_at_once(shape):
    schedule = Schedule(max_steps=10, distillation_ramp=0, distillation_ramp_shape=shape)
    assert schedule.distillation_scale(7) == 1.0


@pytest.mark.parametrize(
    "arguments",
    [{"max_steps": 0}, {"warmup_steps": -1}, {"distillation_ramp": 1.5}, {"distillation_ramp_shape": "cosine"}],
)
def test_settings_that_make_no_sense_are_refused(arguments):
    with pytest.raises(ValueError, match="Schedule"):
        Schedule(**arguments)
