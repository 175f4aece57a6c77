"""Mixtures: the parts stay what they are, and every stretch of training holds them in proportion."""

from collections import Counter
from itertools import chain

import pytest
from factories import write_culane_root

from lanenet_sad.datasets import CULane, SampleSet, StepBatches, Synthetic, TrainTransform
from lanenet_sad.datasets.mixture import Mixture, mixed
from lanenet_sad.lanes.view import InputView


@pytest.fixture
def parts(tmp_path):
    return CULane(write_culane_root(tmp_path / "culane")), Synthetic(5, size=(48, 128), difficulty="easy")


def test_a_mixture_is_its_parts_one_behind_the_other(parts):
    own, rendered = parts
    both = Mixture(parts)
    assert len(both) == len(own) + len(rendered)
    assert both.name(0) == own.name(0)
    assert both.name(len(own) + 4) == rendered.name(4)
    assert both.truth(len(own)).lanes[0].points.tolist() == rendered.truth(0).lanes[0].points.tolist()
    assert both.load(1).image.shape[:2] == both.image_size(1) == own.image_size(1)
    assert (both.image(len(own)) == rendered.image(0)).all()
    assert both.image_path(2) == own.image_path(2) == own.root / "clip/00002.jpg"
    assert both.image_path(len(own)) is None  # rendered pictures have no files
    with pytest.raises(IndexError, match="from 0 to 7, got 8"):
        both.name(8)


def test_the_parts_share_the_samples_as_asked(parts):
    samples = SampleSet(Mixture(parts, [3, 1]), TrainTransform(InputView((24, 64), 2.78)))
    assert samples.shares == (0.75, 0.25)
    batches = StepBatches(samples.sizes, 8, 0, 0, 500, shares=samples.shares)
    drawn = Counter(index >= 3 for index, _ in chain.from_iterable(batches))
    assert drawn == {False: 3000, True: 1000}
    assert samples[next(iter(batches))[0]].image.shape == (3, 24, 64)


@pytest.mark.parametrize("start", [0, 1, 124, 125, 333])
def test_a_mixture_resumes_at_the_very_sample(start):
    whole = list(StepBatches((7, 50, 3), 8, 5, 0, 400, shares=(0.5, 0.3, 0.2)))
    assert list(StepBatches((7, 50, 3), 8, 5, start, 10, shares=(0.5, 0.3, 0.2))) == whole[start : start + 10]


def test_each_part_has_epochs_of_its_own():
    batches = StepBatches((4, 10), 10, 1, 0, 100, shares=(0.5, 0.5))
    counts = Counter(index for index, _ in chain.from_iterable(batches))
    assert {counts[index] for index in range(4)} == {125}
    assert {counts[index] for index in range(4, 14)} == {50}


def test_without_others_the_benchmark_stays_as_it_is(parts):
    assert mixed(parts[0], [], []) is parts[0]


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ([], "one share for each of the 1 datasets"),
        ([1.0], "add up to less than 1"),
        ([-0.1], "positive shares"),
    ],
    ids=["missing", "nothing-left", "negative"],
)
def test_shares_that_make_no_sense_are_refused(parts, shares, message):
    with pytest.raises(ValueError, match=message):
        mixed(parts[0], parts[1:], shares)


def test_parts_of_other_lane_counts_are_refused(parts):
    with pytest.raises(ValueError, match=r"same number of lane slots, got \[4, 6\]"):
        Mixture([parts[0], Synthetic(2, size=(48, 128), num_lanes=6)])


def test_a_share_too_small_to_be_drawn_is_refused():
    with pytest.raises(ValueError, match=r"at least 0\.001 for each part"):
        StepBatches((10, 10), 4, 0, 0, 1, shares=(0.9999, 0.0001))


def test_a_bad_picture_is_replaced_by_one_of_its_own_part(parts, caplog):
    samples = SampleSet(Mixture(parts), TrainTransform(InputView((24, 64), 2.78)), skip_bad=True)
    last = parts[0].root / "clip/00002.jpg"
    last.write_bytes(b"")
    assert samples[2, 0].truth.name == "/clip/00000.jpg"
    assert samples.num_bad == 1
