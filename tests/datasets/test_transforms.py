import os
import pickle

import numpy as np
import pytest
import torch
from factories import make_picture, make_straight_lane
from hypothesis import given, settings
from hypothesis import strategies as st

from lanenet_sad.datasets.base import LaneRecord, draw_lane_mask
from lanenet_sad.datasets.transforms import EvalTransform, TrainTransform, existence_of, flip_horizontally
from lanenet_sad.lanes.lane import LanePrediction
from lanenet_sad.lanes.view import InputView, extract_view
from lanenet_sad.models.interface import LaneSample
from lanenet_sad.models.normalization import normalize_image

VIEW = InputView((48, 128), 128 / 48)
STILL = dict.fromkeys(("rotation", "scale", "shift"), 0.0)
PLAIN = dict.fromkeys(("brightness", "contrast", "saturation", "hue", "gamma", "noise", "blur"), 0.0)


def make_record(size: tuple[int, int] = (90, 160)) -> LaneRecord:
    crossings = [(0.1, 1), (0.35, 2), (0.7, 3)]
    truth = LanePrediction(tuple(make_straight_lane(x * size[1], size, slot) for x, slot in crossings), size, "a.jpg")
    return LaneRecord(make_picture(size), draw_lane_mask(truth), truth)


def same(one: LaneSample, other: LaneSample) -> bool:
    pairs = [(one.image, other.image), (one.lane_mask, other.lane_mask), (one.existence, other.existence)]
    return all(torch.equal(*pair) for pair in pairs)


def test_nothing_phones_home() -> None:
    assert os.environ["NO_ALBUMENTATIONS_UPDATE"] == "1"


@pytest.mark.parametrize("transform", [EvalTransform(VIEW), TrainTransform(VIEW)], ids=["eval", "train"])
def test_shapes_and_types(transform: EvalTransform | TrainTransform) -> None:
    record = make_record()
    sample = transform(record, 4, seed=0)
    assert (sample.image.shape, sample.image.dtype) == ((3, 48, 128), torch.float32)
    assert (sample.lane_mask.shape, sample.lane_mask.dtype) == ((48, 128), torch.int64)
    assert (sample.existence.shape, sample.existence.dtype) == ((4,), torch.float32)
    assert sample.truth is record.truth


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(VIEW, id="top-cut-off"),
        pytest.param(InputView((64, 64), 1.0), id="padded-above"),
        pytest.param(InputView((48, 128), 2.0, crop_top=0.25), id="crop-top"),
    ],
)
def test_validation_sees_the_pixels_of_inference(view: InputView) -> None:
    record = make_record()
    sample = EvalTransform(view)(record, 4)
    assert torch.equal(sample.image, normalize_image(extract_view(record.image, view.place((90, 160)))))
    assert EvalTransform(view).min_size((90, 160)) is None


@pytest.mark.parametrize("view", [VIEW, InputView((160, 160), 1.0)], ids=["cropped", "padded"])
def test_mask_lies_where_the_view_says(view: InputView) -> None:
    record = make_record()
    sample = EvalTransform(view)(record, 4)
    placement = view.place((90, 160))
    for lane in record.truth.lanes:
        for x, y in placement.to_input(lane.points):
            if 3 <= y < view.input_size[0] - 3 and 3 <= x < view.input_size[1] - 3:
                columns = np.nonzero(sample.lane_mask[round(y)].numpy() == lane.slot)[0]
                assert columns.mean() == pytest.approx(x, abs=1.5)


def test_rows_above_the_picture_are_background() -> None:
    record = make_record()
    ones = LaneRecord(record.image, np.ones_like(record.lane_mask), record.truth)
    sample = EvalTransform(InputView((160, 160), 1.0))(ones, 4)
    assert not sample.lane_mask[:70].any()
    assert (sample.lane_mask[70:] == 1).all()


def test_same_seed_same_sample_whatever_was_before() -> None:
    record = make_record()
    transform = TrainTransform(VIEW, flip=0.5, noise=1.0, blur=1.0)
    first = [transform(record, 4, seed) for seed in range(6)]
    other: TrainTransform = pickle.loads(pickle.dumps(transform))
    np.random.seed(0)
    for seed in (4, 1, 4, 5):
        assert same(other(record, 4, seed), first[seed])
        assert same(transform(record, 4, seed), first[seed])
    assert not any(same(first[0], sample) for sample in first[1:])


def test_strength_zero_is_the_plain_placement() -> None:
    record = make_record()
    transform = TrainTransform(VIEW, **STILL, **PLAIN)
    for seed in range(3):
        assert same(transform(record, 4, seed), EvalTransform(VIEW)(record, 4))


def test_random_numbers_of_steps_are_independent() -> None:
    record = make_record()
    record = LaneRecord(np.full_like(record.image, 100), record.lane_mask, record.truth)
    transform = TrainTransform(VIEW, **{**STILL, "shift": 0.2}, **{**PLAIN, "brightness": 0.5})
    samples = [transform(record, 4, seed) for seed in range(60)]
    brightness = [sample.image[:, 24, 64].mean().item() for sample in samples]
    places = torch.stack([(sample.lane_mask == 2).nonzero().float().mean(dim=0) for sample in samples])  # (60, 2)
    assert np.std(brightness) > 0.05
    for place in places.T.numpy():  # row and column
        assert np.std(place) > 0.5
        assert abs(np.corrcoef(brightness, place)[0, 1]) < 0.4


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**63))
def test_picture_and_mask_move_together(seed: int) -> None:
    record = make_record()
    painted = np.zeros_like(record.image)
    painted[record.lane_mask > 0] = 255
    transform = TrainTransform(VIEW, rotation=5, scale=0.1, shift=0.1, flip=0.5, **PLAIN)
    sample = transform(LaneRecord(painted, record.lane_mask, record.truth), 4, seed)
    bright = (sample.image[0] > sample.image[0].min() + 0.5 * (sample.image[0].max() - sample.image[0].min())).numpy()
    labelled = (sample.lane_mask > 0).numpy()
    assert (bright & labelled).sum() / (bright | labelled).sum() > 0.6


def test_flip_moves_slots_to_the_other_side() -> None:
    record = make_record()
    plain = TrainTransform(VIEW, **STILL, **PLAIN)(record, 4, 0)
    flipped = TrainTransform(VIEW, flip=1.0, **STILL, **PLAIN)(record, 4, 0)
    assert plain.existence.tolist() == [1, 1, 1, 0]
    assert flipped.existence.tolist() == [0, 1, 1, 1]
    assert torch.equal(flipped.image, plain.image.flip(2))
    assert torch.equal(flipped.lane_mask == 4, plain.lane_mask.flip(1) == 1)
    assert flipped.truth is record.truth


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_flip_twice_is_nothing(num_lanes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    mask = random.choice(np.array([*range(num_lanes + 1), 255], dtype=np.uint8), (4, 5))
    once = flip_horizontally(image, mask, num_lanes)
    assert set(np.unique(once[1])) == {num_lanes + 1 - v if 0 < v <= num_lanes else v for v in np.unique(mask).tolist()}
    again = flip_horizontally(*once, num_lanes)
    np.testing.assert_array_equal(again[0], image)
    np.testing.assert_array_equal(again[1], mask)


def test_existence_needs_a_piece_of_lane() -> None:
    mask = np.zeros((288, 800), dtype=np.uint8)
    mask[100, :22], mask[101, :23], mask[102] = 1, 2, 255
    assert existence_of(mask, 4).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize(
    ("view", "image_size", "expected"),
    [
        pytest.param(InputView((288, 800), 800 / 288), (590, 1640), (289, 802), id="culane"),
        pytest.param(InputView((360, 640), 640 / 360), (720, 1280), (360, 640), id="exact"),
        pytest.param(InputView((96, 256), 256 / 96), (720, 1280), (144, 256), id="16-to-9"),
        pytest.param(InputView((208, 976), 976 / 208, crop_top=240 / 590), (590, 1640), (351, 976), id="crop-top"),
    ],
)
def test_min_size_is_enough_for_the_view(
    view: InputView, image_size: tuple[int, int], expected: tuple[int, int]
) -> None:
    height, width = TrainTransform(view).min_size(image_size)
    assert (height, width) == pytest.approx(expected, abs=2)
    assert width >= view.input_size[1]


def test_half_decoded_record_gives_nearly_the_same_sample() -> None:
    record = make_record((180, 320))
    half = LaneRecord(record.image.reshape(90, 2, 160, 2, 3).mean(axis=(1, 3)).astype(np.uint8),
                      record.lane_mask[1::2, 1::2].copy(), record.truth)  # fmt: skip
    transform = TrainTransform(VIEW, flip=0.5, **{**PLAIN, "brightness": 0.3})
    for seed in range(3):
        full, reduced = transform(record, 4, seed), transform(half, 4, seed)
        assert (full.image - reduced.image).abs().mean() < 0.05
        assert (full.lane_mask != reduced.lane_mask).float().mean() < 0.05


@pytest.mark.parametrize(
    ("strengths", "message"),
    [
        pytest.param({"shift": -0.1}, "expected shift between 0 and 1, got -0.1", id="negative"),
        pytest.param({"flip": 1.5}, "expected flip between 0 and 1, got 1.5", id="probability"),
        pytest.param({"rotation": 200.0}, "expected a rotation between 0 and 180 degrees, got 200.0", id="rotation"),
    ],
)
def test_impossible_strengths(strengths: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainTransform(VIEW, **strengths)
