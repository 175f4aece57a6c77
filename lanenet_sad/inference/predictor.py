"""A network, its view and its decoder behind one call: pictures in, lanes out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lanenet_sad.lanes.lane import Image, LanePrediction
from lanenet_sad.lanes.view import InputView, Placement, extract_view
from lanenet_sad.models.exits import ExitEnsemble
from lanenet_sad.models.interface import LaneNetOutput
from lanenet_sad.models.lanenet import LaneNet
from lanenet_sad.models.normalization import normalize_images
from lanenet_sad.models.weights import NetworkCard, load_exits, load_weights, no_exits
from lanenet_sad.postprocess.decode import LaneDecoder

SHIPPED_WEIGHTS = Path(__file__).parents[1] / "weights" / "enet_sad_roads.safetensors"

Exit: TypeAlias = int | Literal["ensemble"] | None
"""The block behind which to leave a network, all its exits together, or the whole network."""


@dataclass(frozen=True)
class Predictor:
    """Finds lanes in pictures of any size.

    Attributes:
        network: in eval mode, on `device`.
        view: which part of a picture the network sees (`InputView` is the one rule for foreign cameras).
        decoder: network output -> lanes.
        device: where the network runs.
        card: where the network comes from.
    """

    network: LaneNet | ExitEnsemble
    view: InputView
    decoder: LaneDecoder
    device: torch.device
    card: NetworkCard

    @classmethod
    def from_weights(
        cls,
        weights: Path | None = None,
        *,
        device: str = "auto",
        threshold: float | None = None,
        crop_top: float | None = None,
        exit: Exit = None,
    ) -> Predictor:
        """Load a weight file (default: the one that ships with the package).

        Args:
            weights: `.safetensors` or a training run's `last.pt`.
            device: auto, cpu, cuda or mps.
            threshold: lowest probability of a lane point; None: as the weights say, otherwise 0.3.
            crop_top: fraction of the picture's height to cut off the top instead of the network's own rule.
            exit: leave the network behind this block, by an exit trained there; "ensemble": the mean of all exits.
        """
        chosen = choose_device(device)
        network, card = _load(weights or shipped_weights(), chosen, exit)
        view = card.view if crop_top is None else replace(card.view, crop_top=crop_top)
        lowest = next(value for value in (threshold, card.threshold, LaneDecoder.threshold) if value is not None)
        return cls(network, view, LaneDecoder(threshold=lowest), chosen, card)

    def __call__(
        self, images: Sequence[Image], row_anchors: Sequence[NDArray[np.float64] | None] | None = None
    ) -> list[LanePrediction]:
        """The lanes of some pictures, (H, W, 3) RGB uint8 each, sizes may differ."""
        started = time.perf_counter()
        output, placements = self.forward(images)
        sizes = [(int(image.shape[0]), int(image.shape[1])) for image in images]
        predictions = self.decoder(output, placements, sizes, row_anchors)
        share = (time.perf_counter() - started) / max(1, len(images))
        return [replace(prediction, run_time=share) for prediction in predictions]

    def forward(self, images: Sequence[Image]) -> tuple[LaneNetOutput, list[Placement]]:
        """The network's raw output for some pictures, and where each was cut out."""
        views, placements = self.prepare(images)
        return self.infer(views), placements

    def prepare(self, images: Sequence[Image]) -> tuple[NDArray[np.uint8], list[Placement]]:
        """What the network sees of some pictures, (B, H, W, 3) uint8, and where each was cut out."""
        placements = [self.view.place((int(image.shape[0]), int(image.shape[1]))) for image in images]
        return np.stack(
            [extract_view(image, place) for image, place in zip(images, placements, strict=True)]
        ), placements

    def infer(self, views: NDArray[np.uint8]) -> LaneNetOutput:
        """The network's raw output for prepared views."""
        with torch.inference_mode():
            output: LaneNetOutput = self.network(self._to_device(torch.from_numpy(views)))
            return output

    def _to_device(self, views: Tensor) -> Tensor:
        return normalize_images(views.to(self.device), self.card.normalization).to(memory_format=torch.channels_last)


def _load(path: Path, device: torch.device, exit: Exit) -> tuple[LaneNet | ExitEnsemble, NetworkCard]:
    if exit != "ensemble":
        return load_weights(path, device, exit=exit)
    found = load_exits(path, device)
    if not found.exits:
        raise no_exits(path)
    return ExitEnsemble(found.network, found.exits).eval(), found.card


def choose_device(name: str) -> torch.device:
    """`auto` is CUDA, else Apple's MPS, else the CPU; a device that is not there is an error."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if available[kind])
    kind = name.split(":")[0]
    if kind not in available:
        raise ValueError(f"Device {name!r}: expected auto, cpu, cuda or mps.")
    if not available[kind]:
        raise ValueError(f"Device {name!r}: this machine or this build of torch {torch.__version__} has none; use cpu.")
    return torch.device(name)


def shipped_weights() -> Path:
    """The weight file inside the package."""
    if not SHIPPED_WEIGHTS.is_file():
        raise ValueError(
            "This version ships no weights, so name a FILE of yours, with --weights or --init-weights: "
            "`lanenet-sad demo` or `lanenet-sad train` makes one (best.safetensors in the run's folder)."
        )
    return SHIPPED_WEIGHTS
