import logging
from collections import Counter
from pathlib import Path

import pytest
import torch
from factories import write_culane_root
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from lanenet_sad.datasets import (
    BadSampleError,
    CULane,
    EvalTransform,
    SampleSet,
    StepBatches,
    TrainTransform,
    collate,
    initialize_worker,
)
from lanenet_sad.lanes.view import InputView

VIEW = InputView((24, 64), 64 / 24)


@given(st.integers(1, 9), st.integers(1, 6), st.integers(0, 20), st.integers(0, 2**40))
def test_batches_of_a_resumed_run_are_those_of_an_uninterrupted_one(
    num_samples: int, batch_size: int, start: int, seed: int
) -> None:
    whole = list(StepBatches(num_samples, batch_size, seed, 0, start + 5))
    resumed = StepBatches(num_samples, batch_size, seed, start, 5)
    assert len(resumed) == 5
    assert list(resumed) == list(resumed) == whole[start:]


def test_every_epoch_has_every_sample_once_in_another_order() -> None:
    indices = [index for batch in StepBatches(10, 4, seed=3, start_step=0, num_steps=10) for index, _ in batch]
    epochs = [indices[i : i + 10] for i in range(0, 40, 10)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    other = [index for batch in StepBatches(10, 4, seed=4, start_step=0, num_steps=10) for index, _ in batch]
    assert other != indices


def test_draw_seeds_are_all_different() -> None:
    seeds = Counter(seed for batch in StepBatches(3, 8, 0, 0, 50) for _, seed in batch)
    assert len(seeds) == 400


def test_ranks_share_each_batch() -> None:
    whole = list(StepBatches(11, 6, 1, 2, 4))
    ranks = [list(StepBatches(11, 6, 1, 2, 4, rank=rank, world_size=3)) for rank in range(3)]
    for step, batch in enumerate(whole):
        assert [len(rank[step]) for rank in ranks] == [2, 2, 2]
        assert sorted(pair for rank in ranks for pair in rank[step]) == sorted(batch)


@pytest.mark.parametrize(
    ("num_samples", "batch_size", "world_size", "message"),
    [
        pytest.param(0, 2, 1, "expected at least one sample", id="no-samples"),
        pytest.param(5, 0, 1, "got 0", id="no-batch"),
        pytest.param(5, 4, 3, "a batch size that 3 processes can share evenly, got 4", id="uneven"),
    ],
)
def test_impossible_batches(num_samples: int, batch_size: int, world_size: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StepBatches(num_samples, batch_size, 0, 0, 1, world_size=world_size)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_culane_root(tmp_path)


def load_batches(root: Path, num_workers: int, start: int = 0) -> list[tuple[torch.Tensor, torch.Tensor, list[str]]]:
    samples = SampleSet(CULane(root), TrainTransform(VIEW, flip=0.5))
    batches = StepBatches(len(samples), 4, 7, start, 4 - start)
    loader = DataLoader(
        samples,
        batch_sampler=batches,
        num_workers=num_workers,
        collate_fn=collate,
        worker_init_fn=initialize_worker,
    )
    return [(images, targets.lane_mask, [truth.name for truth in truths]) for images, targets, truths in loader]


def test_batches_do_not_depend_on_workers_or_start(root: Path) -> None:
    plain = load_batches(root, num_workers=0)
    assert plain[0][0].shape == (4, 3, 24, 64)
    for other in (load_batches(root, num_workers=2), load_batches(root, num_workers=0, start=2)):
        for one, two in zip(plain[-len(other) :], other, strict=True):
            assert torch.equal(one[0], two[0])
            assert torch.equal(one[1], two[1])
            assert one[2] == two[2]


def test_collated_targets(root: Path) -> None:
    samples = SampleSet(CULane(root), EvalTransform(VIEW))
    images, targets, truths = collate([samples[i] for i in range(3)])
    assert images.shape == (3, 3, 24, 64)
    assert (targets.lane_mask.shape, targets.lane_mask.dtype) == ((3, 24, 64), torch.int64)
    assert targets.existence.tolist() == [[0, 1, 1, 0]] * 3
    assert [truth.name for truth in truths] == [f"/clip/{i:05d}.jpg" for i in range(3)]


def test_training_decodes_no_more_than_it_needs(root: Path) -> None:
    small = SampleSet(CULane(root), TrainTransform(VIEW))._load(0)
    assert small.image.shape[:2] == (32, 80)
    assert SampleSet(CULane(root), EvalTransform(VIEW))._load(0).image.shape[:2] == (64, 160)


def damage(root: Path, *numbers: int) -> None:
    for number in numbers:
        path = root / f"clip/{number:05d}.jpg"
        path.write_bytes(path.read_bytes()[:-30])


def complaint_about(loader: DataLoader[object]) -> str:
    try:
        list(loader)
    except BadSampleError as error:
        error.__traceback__ = None  # it would keep the loader's iterator alive, whose late end takes 5 s
        return str(error)
    return ""


@pytest.mark.parametrize("num_workers", [0, 1])
def test_bad_picture_is_named_in_one_sentence(root: Path, num_workers: int) -> None:
    damage(root, 2)
    loader = DataLoader(SampleSet(CULane(root), EvalTransform(VIEW)), num_workers=num_workers, collate_fn=collate)
    message = complaint_about(loader)
    assert message.startswith(f"Image {root}/clip/00002.jpg: the file is cut off or broken after ")
    assert "\n" not in message


def test_bad_picture_is_replaced_by_the_next_and_reported_once(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    damage(root, 2)
    samples = SampleSet(CULane(root), TrainTransform(VIEW), skip_bad=True)
    with caplog.at_level(logging.WARNING):
        replaced = [samples[2, 5] for _ in range(3)]
    assert [sample.truth.name for sample in replaced] == ["/clip/00000.jpg"] * 3  # the next one, round the end
    assert torch.equal(replaced[0].image, samples[0, 5].image)
    assert len(caplog.records) == 1
    assert f"{root}/clip/00002.jpg: the file is cut off" in caplog.text
    assert samples.num_bad == 1
    assert samples.faults[0].startswith(f"Image {root}/clip/00002.jpg: the file is cut off")


def test_validation_never_replaces(root: Path) -> None:
    damage(root, 2)
    samples = SampleSet(CULane(root), EvalTransform(VIEW), skip_bad=True)
    with pytest.raises(BadSampleError, match=r"00002\.jpg"):
        samples[2]


def test_workers_count_bad_pictures_together(root: Path) -> None:
    damage(root, 0, 2)
    samples = SampleSet(CULane(root), TrainTransform(VIEW), skip_bad=True)
    batches = StepBatches(3, 3, 0, 0, 4)
    loader = DataLoader(samples, batch_sampler=batches, num_workers=2, collate_fn=collate)
    names = [truth.name for _, _, truths in loader for truth in truths]
    assert names == ["/clip/00001.jpg"] * 12
    assert samples.num_bad == 2


def test_only_bad_pictures(root: Path) -> None:
    damage(root, 0, 1, 2)
    with pytest.raises(BadSampleError, match=r"expected some readable pictures, all 3 are bad"):
        SampleSet(CULane(root), TrainTransform(VIEW), skip_bad=True)[1, 0]


def test_mistake_in_the_code_is_no_bad_picture(root: Path) -> None:
    class Broken:
        def min_size(self, image_size: tuple[int, int]) -> None: ...

        def __call__(self, *_: object) -> None:
            raise ValueError("ours")

    with pytest.raises(ValueError, match=r"^ours$") as error:
        SampleSet(CULane(root), Broken(), skip_bad=True)[0, 0]  # type: ignore[arg-type]
    assert not isinstance(error.value, BadSampleError)
