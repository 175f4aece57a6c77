"""Small objects for tests."""

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch

from lanenet_sad.inference.sinks import VideoSink
from lanenet_sad.lanes.files import CULaneListEntry, write_culane_lines, write_culane_list
from lanenet_sad.lanes.lane import Image, Lane
from lanenet_sad.lanes.view import InputView
from lanenet_sad.models import EncoderSpec, LaneNet, LaneNetOutput, LaneTargets, enet
from lanenet_sad.models.foreign import Origin
from lanenet_sad.models.weights import NetworkCard, save_weights


def make_spec(channels: tuple[int, ...] = (6, 8, 8, 8), strides: tuple[int, ...] = (2, 4, 4, 4)) -> EncoderSpec:
    """Four blocks; the last three have one size."""
    return EncoderSpec(channels=channels, strides=strides)


def make_targets(batch: int = 2, size: tuple[int, int] = (16, 32), num_lanes: int = 4, seed: int = 0) -> LaneTargets:
    """Masks with upright lanes three pixels wide; the last slot is empty."""
    mask = torch.zeros(batch, *size, dtype=torch.int64)
    shift = seed % 3
    for slot in range(1, num_lanes):
        column = slot * size[1] // (num_lanes + 1) + shift
        mask[:, size[0] // 4 :, column : column + 3] = slot
    existence = torch.ones(batch, num_lanes)
    existence[:, -1] = 0
    return LaneTargets(mask, existence)


def make_output(
    spec: EncoderSpec,
    batch: int = 2,
    size: tuple[int, int] = (16, 32),
    num_lanes: int = 4,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> LaneNetOutput:
    """Random logits and features of an encoder; the features are leaves that require a gradient."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()

    features = tuple(
        normal(batch, channels, size[0] // stride, size[1] // stride)
        for channels, stride in zip(spec.channels, spec.strides, strict=True)
    )
    return LaneNetOutput(normal(batch, num_lanes + 1, *size), normal(batch, num_lanes), features)


def make_straight_lane(bottom_x: float, size: tuple[int, int], slot: int | None = None) -> Lane:
    """A straight line, near to far, from the bottom row towards a vanishing point in the middle of the picture."""
    height, width = size
    rows = np.linspace(height - 1, 0.4 * height, 8)
    share = (rows - 0.3 * height) / (height - 1 - 0.3 * height)
    return Lane(np.stack([width / 2 + (bottom_x - width / 2) * share, rows], axis=1), slot)


def distance_to_polyline(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """(N,) distance of points to the nearest place on a polyline, segment by segment."""
    nearest = np.full(len(points), np.inf)
    for start, end in pairwise(line):
        length = float(((end - start) ** 2).sum()) or 1.0
        for i, point in enumerate(points):
            share = min(1.0, max(0.0, float((point - start) @ (end - start)) / length))
            nearest[i] = min(nearest[i], np.hypot(*(point - start - share * (end - start))))
    return nearest


def make_picture(size: tuple[int, int], seed: int = 0) -> Image:
    """A smooth coloured picture, (H, W, 3), that survives JPEG well."""
    coarse = np.random.default_rng(seed).integers(30, 220, (4, 6, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def write_picture(path: Path, image: Image) -> None:
    """Writes an RGB picture as JPEG or PNG; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image, [cv2.IMWRITE_JPEG_QUALITY, 95])


def write_culane_root(root: Path, sizes: tuple[tuple[int, int], ...] = ((64, 160), (64, 160), (96, 128))) -> Path:
    """A tiny dataset in CULane's layout without mask files: one picture per size, with two lines in slots 2 and 3."""
    entries = []
    for number, size in enumerate(sizes):
        name = f"/clip/{number:05d}"
        write_picture(root / f"clip/{number:05d}.jpg", make_picture(size, seed=number))
        lanes = [make_straight_lane(share * size[1], size) for share in (0.8, 0.2)]
        write_culane_lines(root / f"clip/{number:05d}.lines.txt", lanes)
        entries.append(CULaneListEntry(f"{name}.jpg", f"/laneseg_label_w16{name}.png", (0, 1, 1, 0)))
    write_culane_list(root / "list/train_gt.txt", entries)
    return root


GREEN, RED = (30, 200, 30), (220, 30, 30)


def make_corner_picture(height: int = 24, width: int = 40) -> Image:
    """Red with a green upper left quarter: shows swapped channels and every turn."""
    image = np.empty((height, width, 3), np.uint8)
    image[:] = RED
    image[: height // 2, : width // 2] = GREEN
    return image


def has_color(image: Image, x: float, y: float, color: tuple[int, int, int]) -> bool:
    """Whether the pixel at the shares x and y (0..1) of a picture has about this colour."""
    pixel = image[int(y * image.shape[0]), int(x * image.shape[1])].astype(int)
    return bool(np.abs(pixel - color).max() < 45)


def write_weights(
    path: Path, *, num_lanes: int = 4, belief: float = 20.0, seed: int = 0, benchmark: str = "culane"
) -> Path:
    """A weight file of an untrained ENet that looks at 32x64 pixels and believes in every lane, or in none."""
    torch.manual_seed(seed)
    network = enet(num_lanes=num_lanes)
    last = [module for module in network.existence_head.modules() if isinstance(module, torch.nn.Linear)][-1]
    torch.nn.init.constant_(last.bias, belief)
    card = NetworkCard(network.recipe, InputView((32, 64), aspect=2.5), {"benchmark": benchmark})
    save_weights(path, network, card)
    return path


def write_video(path: Path, *, num_frames: int = 6, size: tuple[int, int] = (64, 160)) -> Path:
    """A short video of smooth pictures."""
    with VideoSink(path, fps=25.0, size=size) as sink:
        for number in range(num_frames):
            sink.write(make_picture(size, seed=number))
    return path


def make_fixed_network(layout: str, *, num_lanes: int = 4, size: tuple[int, int] = (32, 64)) -> LaneNet:
    """An ENet for one input size whose tensors all hold different numbers, those of its normalisations too."""
    torch.manual_seed(0)
    network = enet(layout=layout, num_lanes=num_lanes, existence_head="fixed", input_size=size).eval()
    for value in network.state_dict().values():
        if value.ndim <= 1:
            value.add_((torch.rand(value.shape) * (0.1 if value.is_floating_point() else 9)).to(value.dtype))
    return network


def published_names(origin: Origin, ours: str) -> list[str]:
    """Every name that a tensor of ours has in another program's files, the newest spelling first."""
    rules = [(there, here) for there, here in origin.modules.items() if ours.startswith(f"{here}.")]
    return [there + ours.removeprefix(here) for there, here in rules]


def published_tensors(network: LaneNet, origin: Origin, spelling: int | None = 0) -> dict[str, torch.Tensor]:
    """What another program would have saved of `network`, in one of its spellings; None writes all of them."""
    published = {name: torch.ones(5) for name in origin.unused}
    for ours, value in network.state_dict().items():
        names = published_names(origin, ours)
        chosen = names if spelling is None else [names[min(spelling, len(names) - 1)]]
        published |= {name: value.clone() for name in chosen}
    return published
