"""From a labelled picture to a network sample: the view, small random changes, normalisation."""

from __future__ import annotations

import math
import os
import random
from typing import Any, final

import cv2
import numpy as np
import torch

# The library asks PyPI for its newest version when it is imported, unless this is set before.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
import albumentations

from lanenet_sad.datasets.base import LaneRecord
from lanenet_sad.lanes.images import resize_mask
from lanenet_sad.lanes.lane import IGNORE_INDEX, Image, IntMask
from lanenet_sad.lanes.view import InputView, Placement, extract_view
from lanenet_sad.models.interface import LaneSample
from lanenet_sad.models.normalization import normalize_image

# A slot exists in a sample if at least this share of the input's pixels is labelled with it. At CULane's line width
# that is a piece of lane about 1 % of the input's height long: 23 pixels of 288x800, 2 of 96x256.
EXISTENCE_SHARE = 1e-4


@final
class EvalTransform:
    """The plain placement of a picture in the network's input, the same pixels as in inference.

    Args:
        view: which part of a picture the network looks at.
    """

    def __init__(self, view: InputView) -> None:
        self.view = view

    def min_size(self, image_size: tuple[int, int]) -> None:
        """Pictures are decoded in full, as inference does."""

    def __call__(self, record: LaneRecord, num_lanes: int, seed: int = 0) -> LaneSample:
        """The sample of a record; nothing is random, `seed` is not used."""
        return _sample(*_placed(record.image, record.lane_mask, self.view), record, num_lanes)


@final
class TrainTransform:
    """Random changes that keep a road a road, then the placement in the network's input.

    Everything random follows from the seed of a call alone, whatever was called before and in whichever process.
    A changed picture is moved within its own frame first, so that what a crop of the top rows would cut off can
    come into view; what comes from outside the picture is black and background, as in the official code. That code
    (ENet-SAD) varies width and height by about 4 and 7 % and rotates by up to 1 degree; it does not flip.

    A flip turns picture and mask, and slot k becomes slot L + 1 - k. `LaneSample.truth` is never changed: it serves
    validation, which uses `EvalTransform`.

    Args:
        view: which part of a picture the network looks at.
        rotation: largest angle in degrees, either way.
        scale: largest relative change of width and of height, each on its own.
        shift: largest move as a share of width and of height.
        brightness: largest relative change; likewise `contrast` and `saturation`.
        contrast: see `brightness`.
        saturation: see `brightness`.
        hue: largest turn of the hue, as a share of the full circle.
        gamma: largest relative change of the exponent.
        noise: probability of Gaussian noise, as of a camera at night.
        blur: probability of motion blur.
        flip: probability of a horizontal flip.

    Raises:
        ValueError: a strength is negative or a share or probability above 1.
    """

    def __init__(
        self,
        view: InputView,
        *,
        rotation: float = 1.0,
        scale: float = 0.04,
        shift: float = 0.04,
        brightness: float = 0.2,
        contrast: float = 0.2,
        saturation: float = 0.2,
        hue: float = 0.02,
        gamma: float = 0.2,
        noise: float = 0.1,
        blur: float = 0.1,
        flip: float = 0.0,
    ) -> None:
        shares = {"scale": scale, "shift": shift, "brightness": brightness, "contrast": contrast}
        shares |= {"saturation": saturation, "hue": hue, "gamma": gamma, "noise": noise, "blur": blur, "flip": flip}
        _check_strengths(shares, rotation)
        self.view = view
        self.flip = flip
        geometry: list[Any] = []
        if rotation or scale or shift:
            geometry = [
                albumentations.Affine(
                    scale=(1 - scale, 1 + scale), translate_percent=(-shift, shift), rotate=(-rotation, rotation), p=1.0
                )
            ]
        colours: list[Any] = []
        if brightness or contrast or saturation or hue:
            around = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
            ranges = {name: (1 - strength, 1 + strength) for name, strength in around.items()}
            colours.append(albumentations.ColorJitter(**ranges, hue=(-hue / 2, hue / 2), p=1.0))
        if gamma:
            colours.append(albumentations.RandomGamma(gamma_limit=(100 * (1 - gamma), 100 * (1 + gamma)), p=1.0))
        if blur:
            colours.append(albumentations.MotionBlur(blur_limit=(3, 5), p=blur))
        if noise:
            colours.append(albumentations.GaussNoise(std_range=(0.01, 0.06), p=noise))
        self._geometry = albumentations.Compose(geometry)
        self._colours = albumentations.Compose(colours)

    def min_size(self, image_size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) that a picture needs so that its view is no smaller than the network's input."""
        placement = self.view.place(image_size)
        height, width = placement.input_size
        share = max(height / placement.height, width / placement.width)
        return math.ceil(image_size[0] * share - 1e-6), math.ceil(image_size[1] * share - 1e-6)

    def __call__(self, record: LaneRecord, num_lanes: int, seed: int) -> LaneSample:
        """The sample of a record, changed as `seed` (0 or more) says."""
        # One state for all steps: seeding the library's steps one by one would give them all the same numbers.
        generator, python_generator = np.random.default_rng(seed), random.Random(seed)
        for steps in (self._geometry, self._colours):
            steps.set_random_state(generator, python_generator)
        moved = self._geometry(image=record.image, mask=record.lane_mask)
        image, lane_mask = _placed(moved["image"], moved["mask"], self.view)
        image = self._colours(image=image)["image"]
        if generator.random() < self.flip:
            image, lane_mask = flip_horizontally(image, lane_mask, num_lanes)
        return _sample(image, lane_mask, record, num_lanes)


def flip_horizontally(image: Image, lane_mask: IntMask, num_lanes: int) -> tuple[Image, IntMask]:
    """A picture and its mask seen in a mirror: what was slot k is slot L + 1 - k then.

    Args:
        image: (H, W, 3).
        lane_mask: (H, W), 0..L or `IGNORE_INDEX`, which stays.
        num_lanes: L.
    """
    slots = np.arange(256, dtype=np.uint8)
    slots[1 : num_lanes + 1] = slots[num_lanes:0:-1].copy()
    return np.ascontiguousarray(image[:, ::-1]), slots[lane_mask[:, ::-1]]


def existence_of(lane_mask: IntMask, num_lanes: int) -> torch.Tensor:
    """Which slots a mask shows: those with at least `EXISTENCE_SHARE` of its pixels, (H, W) -> (L,) float32, 0 or 1."""
    counts = np.bincount(lane_mask.ravel(), minlength=num_lanes + 1)[1 : num_lanes + 1]
    least = max(1, round(EXISTENCE_SHARE * lane_mask.size))
    return torch.from_numpy((counts >= least).astype(np.float32))


def _placed(image: Image, lane_mask: IntMask, view: InputView) -> tuple[Image, IntMask]:
    """Picture and mask -> the network's input size."""
    height, width = lane_mask.shape
    placement = view.place((height, width))
    return extract_view(image, placement), _extract_mask(lane_mask, placement)


def _extract_mask(lane_mask: IntMask, placement: Placement) -> IntMask:
    """As `extract_view` for a mask: rows above the picture are background."""
    cut = lane_mask[max(placement.top, 0) : placement.top + placement.height]
    if placement.top < 0:
        cut = np.asarray(cv2.copyMakeBorder(cut, -placement.top, 0, 0, 0, cv2.BORDER_CONSTANT, value=(0,)), np.uint8)
    return resize_mask(cut, placement.input_size)


def _sample(image: Image, lane_mask: IntMask, record: LaneRecord, num_lanes: int) -> LaneSample:
    assert not ((lane_mask > num_lanes) & (lane_mask != IGNORE_INDEX)).any()
    return LaneSample(
        image=normalize_image(image),
        lane_mask=torch.from_numpy(lane_mask.astype(np.int64)),
        existence=existence_of(lane_mask, num_lanes),
        truth=record.truth,
    )


def _check_strengths(shares: dict[str, float], rotation: float) -> None:
    for name, strength in shares.items():
        if not 0 <= strength <= 1:
            raise ValueError(f"TrainTransform: expected {name} between 0 and 1, got {strength}.")
    if not 0 <= rotation <= 180:
        raise ValueError(f"TrainTransform: expected a rotation between 0 and 180 degrees, got {rotation}.")
