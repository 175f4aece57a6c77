"""Tiny datasets in the official layouts of BDD100K, LLAMAS and CurveLanes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from factories import make_picture, make_straight_lane, write_picture

BDD100K_SIZE = (720, 1280)
LLAMAS_SIZE = (717, 1276)


def make_edges(bottom_x: float, size: tuple[int, int], paint: float) -> list[np.ndarray]:
    """The left and the right edge of a stripe towards the vanishing point, `paint` px wide in the bottom row."""
    return [make_straight_lane(bottom_x + sign * paint / 2, size).points for sign in (-1, 1)]


def bdd100k_label(points: np.ndarray, kind: str = "single white", types: str | None = None, **attributes: str) -> Any:
    """A label as the 2020 files have it."""
    path = {"vertices": np.round(points, 3).tolist(), "types": types or "L" * len(points), "closed": False}
    said = {"laneDirection": "parallel", "laneStyle": "solid", **attributes}
    return {"id": "1", "category": kind, "attributes": said, "poly2d": [path]}


def write_bdd100k_root(root: Path, *, split: str = "train", num_images: int = 3, form: int = 2020) -> Path:
    """Pictures with two stripes labelled by both edges, a kerb and a stop line."""
    frames = []
    width = BDD100K_SIZE[1]
    for number in range(num_images):
        name = f"{number:08x}-0000.jpg"
        write_picture(root / "images/100k" / split / name, make_picture(BDD100K_SIZE, seed=number))
        labels = [bdd100k_label(edge) for x in (0.25, 0.75) for edge in make_edges(x * width, BDD100K_SIZE, 40)]
        labels.append(bdd100k_label(make_straight_lane(1.3 * width, BDD100K_SIZE).points, "road curb"))
        across = np.array([[200.0, 600.0], [1000.0, 605.0]])
        labels.append(bdd100k_label(across, laneDirection="vertical"))
        if form == 2018:
            labels = [{**one, "attributes": {**one["attributes"], "laneTypes": one["category"]}} for one in labels]
            labels = [{**one, "category": "lane"} for one in labels] + [{"category": "car", "box2d": {}}]
        frames.append({"name": name, "timestamp": 10000, "labels": labels})
    place = f"labels/lane/polygons/lane_{split}.json" if form == 2020 else f"labels/bdd100k_labels_images_{split}.json"
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).write_text(json.dumps(frames))
    return root


def llamas_marker(start: tuple[int, int], end: tuple[int, int], distance: float) -> dict[str, Any]:
    """A marker as the official files have it, numbers as strings."""

    def text(**values: float) -> dict[str, str]:
        return {key: str(value) for key, value in values.items()}

    return {
        "lane_marker_id": "m",
        "pixel_start": text(x=start[0], y=start[1]),
        "pixel_end": text(x=end[0], y=end[1]),
        "world_start": text(x=0.0, y=0.0, z=distance),
        "world_end": text(x=0.0, y=0.0, z=distance + 10),
    }


def llamas_lane(name: str, bottom_x: float, dashes: tuple[tuple[int, int], ...] = ((650, 600), (500, 450))) -> Any:
    """A straight dashed line towards the middle of row 215."""

    def x(row: int) -> int:
        return round(638 + (bottom_x - 638) * (row - 215) / (716 - 215))

    markers = [llamas_marker((x(near), near), (x(far), far), 1000.0 - near) for near, far in dashes]
    return {"lane_id": name, "markers": markers}


def write_llamas_root(root: Path, *, split: str = "train", num_images: int = 2, images: str = "color") -> Path:
    """Pictures of the official size with the lines l1, l0 and r0, and a far one."""
    folder, ending = {"color": ("color_images", "_color_rect.png"), "gray": ("grayscale_images", "_gray_rect.png")}[
        images
    ]
    for number in range(num_images):
        stem = f"images-2014-12-18-14-17-05/14189411_{number:04d}"
        picture = make_picture(LLAMAS_SIZE, seed=number)
        write_picture(root / folder / split / f"{stem}{ending}", picture[..., 0] if images == "gray" else picture)
        bottoms = {"l2": -1800.0, "l1": -700.0, "l0": 300.0, "r0": 1000.0}
        lanes = [llamas_lane(name, bottom_x) for name, bottom_x in bottoms.items()]
        label = root / "labels" / split / f"{stem}.json"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(json.dumps({"image_name": stem, "projection_matrix": [], "lanes": lanes}))
    return root


def write_curvelanes_root(
    root: Path, *, split: str = "train", sizes: tuple[tuple[int, int], ...] = ((72, 128), (66, 157))
) -> Path:
    """Pictures of mixed sizes, each with three lines, far to near."""
    names = []
    for number, size in enumerate(sizes):
        stem = f"{number:032x}"
        write_picture(root / split / f"images/{stem}.jpg", make_picture(size, seed=number))
        lanes = [make_straight_lane(share * size[1], size).points[::-1] for share in (0.3, 0.7, 1.4)]
        lines = [[{"y": f"{y:.2f}", "x": f"{x:.2f}"} for x, y in lane] for lane in lanes]
        label = root / split / f"labels/{stem}.lines.json"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(json.dumps({"Lines": lines}))
        names.append(f"images/{stem}.jpg\n")
    (root / split / f"{split}.txt").write_text("".join(names))
    return root
