"""How often `LineTypeClassifier` says the right type of line, on rendered drives and on labelled real pictures.

Usage:
    python docs/benchmarks/line_types.py --drives 60 --out docs/benchmarks/line_types.json
    python docs/benchmarks/line_types.py --drives 0 --real FOLDER

Rendered drives know the type of every line. Lanes are those of the truth, whose points are moved a little, or those
that the shipped network finds, each with the identity of the labelled line it lies on, as a perfect tracker would give
it. Every frame is judged once by itself (`picture`) and once with the track behind it (`track`). The weights of the
classifier come from other seeds (`line_type_fit.py`).

FOLDER holds real pictures and `lane_types_coco.json`: COCO polygons of the borders of the own lane with categories
named `Left Boundary -Solid-`, `Right Boundary -Dashed-` and so on. The lanes are those that the network finds on the
polygons. Pictures with consecutive numbers in their names count as a track, although they are about a second apart.
Where a border has polygons of both kinds it is a solid line beside a dashed one.

Prints Markdown tables and writes all numbers as JSON.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lanenet_sad.datasets.synthetic import RenderedDrive
from lanenet_sad.inference.predictor import Predictor
from lanenet_sad.lanes.images import read_image
from lanenet_sad.lanes.lane import Image, Lane, LanePrediction, LaneType, Points
from lanenet_sad.postprocess.line_type import COLOURS, STYLES, LineTypeClassifier

SEED = 300
Counts = Counter[tuple[str, str]]  # (true, told) -> lines
_LABELS = "lane_types_coco.json"
_NEAR = 0.012  # of the picture's width: a lane that lies nearer to a labelled line than this is that line
_NEAR_POLYGON = 0.03


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drives", type=int, default=60, help="rendered drives")
    parser.add_argument("--frames", type=int, default=20, help="of each drive")
    parser.add_argument("--fps", type=float, default=12.5)
    parser.add_argument("--image-size", type=int, nargs=2, default=(450, 800), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--real", type=Path, help="folder with lane_types_coco.json")
    parser.add_argument("--out", type=Path, help="JSON file for all numbers")
    options = parser.parse_args(words)
    cv2.setNumThreads(1)
    predictor = Predictor.from_weights()
    numbers: dict[str, Any] = described(sys.argv[1:] if words is None else words)
    if options.drives:
        size = (options.image_size[0], options.image_size[1])
        numbers["rendered"] = rendered(predictor, options.drives, options.frames, options.fps, size)
    if options.real is not None:
        numbers["real"] = real(predictor, options.real)
    print(tables(numbers))
    if options.out is not None:
        options.out.write_text(json.dumps(numbers, indent=1) + "\n")


def described(words: Sequence[str]) -> dict[str, Any]:
    """The run: its command without the folders of this machine, its commit, its date."""
    command = " ".join(Path(word).name if "/" in word else word for word in words)
    git = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    date = datetime.now(UTC).isoformat(timespec="minutes")
    return {"command": f"line_types.py {command}", "commit": git.stdout.strip() or "unknown", "date": date}


def rendered(predictor: Predictor, drives: int, frames: int, fps: float, image_size: tuple[int, int]) -> dict[str, Any]:
    """Confusions of styles and of colours, by where the lanes are from and how they were judged."""
    styles: dict[str, Counts] = {}
    colours: dict[str, Counts] = {}
    seconds, looks = 0.0, 0
    rng = np.random.default_rng(SEED)
    for index in range(drives):
        drive = RenderedDrive(SEED, index, num_frames=frames, image_size=image_size, fps=fps)
        judges = {name: LineTypeClassifier() for name in ("true, picture", "true, track", "net, picture", "net, track")}
        for number, (image, truth) in enumerate(drive):
            found = predictor([image])[0].lanes
            lanes = {
                "true": [moved(lane, rng, image_size[1]) for lane in truth if lane.slot],
                "net": identified(found, truth, image_size[1]),
            }
            kinds = {lane.track_id: lane.line_type for lane in truth}
            for name, judge in judges.items():
                seen = [replace(lane, line_type=None) for lane in lanes[name.split(",")[0]]]
                asked = [replace(lane, track_id=None) for lane in seen] if name.endswith("picture") else seen
                started = time.process_time()
                told = judge(image, LanePrediction(tuple(asked), image_size)).lanes
                if name == "true, track":
                    seconds, looks = seconds + time.process_time() - started, looks + 1
                if name.endswith("picture") or number == frames - 1:
                    for lane, said in zip(seen, told, strict=True):
                        count(styles, colours, name, kinds[lane.track_id], said.line_type)
    return {
        "seed": SEED,
        "drives": drives,
        "frames": frames,
        "milliseconds_per_frame": 1000 * seconds / max(looks, 1),
        "styles": {name: rows(counts) for name, counts in styles.items()},
        "colours": {name: rows(counts) for name, counts in colours.items()},
    }


def count(
    styles: dict[str, Counts], colours: dict[str, Counts], name: str, true: LaneType | None, told: LaneType | None
) -> None:
    """Counts one line."""
    assert true is not None
    styles.setdefault(name, Counter())[true.style, told.style if told else "none"] += 1
    colours.setdefault(name, Counter())[true.colour, told.colour if told else "none"] += 1


def moved(lane: Lane, rng: np.random.Generator, width: int) -> Lane:
    """A lane whose curve is a few pixels off, as a network's is."""
    along = np.linspace(-1, 1, len(lane.points))
    bend = 0.7 * rng.normal() + rng.normal() * along + 0.7 * rng.normal() * along**2
    off = 0.002 * width * bend + rng.normal(0, 0.0006 * width, len(along))
    return replace(lane, points=lane.points + np.stack([off, np.zeros_like(off)], axis=1))


def identified(found: Sequence[Lane], truth: Sequence[Lane], width: int) -> list[Lane]:
    """The lanes that lie on a labelled line, with its identity."""
    lanes = []
    for lane in found:
        distances = [apart(lane.points, line.points) for line in truth]
        if distances and min(distances) < _NEAR * width:
            lanes.append(replace(lane, track_id=truth[int(np.argmin(distances))].track_id))
    return lanes


def apart(points: Points, line: Points) -> float:
    """Mean columns between two lines in the rows that both have; infinite where these are few."""
    common = points[(points[:, 1] <= line[0, 1]) & (points[:, 1] >= line[-1, 1])]
    if len(common) < 5:
        return float("inf")
    return float(np.mean(np.abs(np.interp(common[:, 1], line[::-1, 1], line[::-1, 0]) - common[:, 0])))


def real(predictor: Predictor, folder: Path) -> dict[str, Any]:
    """Right, wrong and untold lines by video and side, judged by single pictures and along tracks."""
    videos: dict[str, dict[str, Counts]] = {}
    # A second apart, looks are independent, and a line may have changed its kind.
    judges = {"picture": LineTypeClassifier(), "track": LineTypeClassifier(every=1, weight=1.0, memory=0.5)}
    missed, before = 0, ("", -1)
    for name, image, borders in labelled(folder):
        video = name.split("/")[-2]
        number = int((re.findall(r"\d+", name.split("/")[-1]) or ["0"])[-1])
        if before != (video, number - 1):
            judges["track"].reset()
        before = (video, number)
        found = [lane for lane in predictor([image])[0].lanes if len(lane.points) >= 5]
        on = {side: nearest(found, corners, image.shape[1]) for side, (_, corners) in borders.items()}
        missed += sum(lane is None for lane in on.values())
        sides = {id(lane): side for side, lane in on.items() if lane is not None}
        for how, judge in judges.items():
            tracked = [
                replace(lane, track_id={"left": 1, "right": 2}.get(sides.get(id(lane), ""), 10 + (lane.slot or 0)))
                if how == "track"
                else lane
                for lane in found
            ]
            told = judge(image, LanePrediction(tuple(tracked), (image.shape[0], image.shape[1]))).lanes
            for lane, said in zip(found, told, strict=True):
                if id(lane) in sides:
                    side = sides[id(lane)]
                    style = said.line_type.style if said.line_type else "none"
                    videos.setdefault(f"{video}, {side}", {}).setdefault(how, Counter())[borders[side][0], style] += 1
    return {
        "lines_without_a_lane": missed,
        "videos": {name: {how: rows(counts) for how, counts in both.items()} for name, both in sorted(videos.items())},
    }


def labelled(folder: Path) -> Iterator[tuple[str, Image, dict[str, tuple[str, Points]]]]:
    """Name, picture and, by side, the kind of the border and its polygons' corners, in the order of the names."""
    content = json.loads((folder / _LABELS).read_text())
    kinds = {kind["id"]: kind["name"].lower() for kind in content["categories"]}
    polygons: dict[int, dict[str, dict[str, list[Points]]]] = {}
    for annotation in content["annotations"]:
        side, _, kind = kinds[annotation["category_id"]].partition(" boundary ")
        corners = [np.asarray(part, dtype=np.float64).reshape(-1, 2) for part in annotation["segmentation"]]
        polygons.setdefault(annotation["image_id"], {}).setdefault(side, {}).setdefault(kind.strip("-"), []).extend(
            corners
        )
    for picture in sorted(content["images"], key=lambda picture: picture["file_name"]):
        borders = {
            side: ("solid_dashed" if len(parts) == 2 else min(parts), np.concatenate([*chain(*parts.values())]))
            for side, parts in polygons.get(picture["id"], {}).items()
        }
        yield picture["file_name"], read_image(folder / picture["file_name"]), borders


def nearest(lanes: Sequence[Lane], corners: Points, width: int) -> Lane | None:
    """The lane that lies on polygons."""
    distances = [
        float(np.median(np.abs(np.interp(corners[:, 1], lane.points[::-1, 1], lane.points[::-1, 0]) - corners[:, 0])))
        for lane in lanes
    ]
    if not distances or min(distances) > _NEAR_POLYGON * width:
        return None
    return lanes[int(np.argmin(distances))]


def rows(counts: Counts) -> dict[str, dict[str, int]]:
    """Counts as nested dictionaries: true -> told -> lines."""
    nested: dict[str, dict[str, int]] = {}
    for (true, told), number in sorted(counts.items()):
        nested.setdefault(true, {})[told] = number
    return nested


def tables(numbers: dict[str, Any]) -> str:
    """Markdown."""
    parts = []
    for kind, words in (("styles", STYLES), ("colours", COLOURS)):
        for name, confusion in numbers.get("rendered", {}).get(kind, {}).items():
            parts.append(f"Rendered, {kind}, {name}: {summary(confusion)}\n\n{confusion_table(confusion, words)}")
    if "real" in numbers:
        lines = ["| video, border | solid | dashed | both | picture: right of told (told) | track |", "|---" * 6 + "|"]
        total: dict[str, Counts] = {"picture": Counter(), "track": Counter()}
        for name, both in numbers["real"]["videos"].items():
            sizes = {
                style: sum(both["picture"].get(style, {}).values()) for style in ("solid", "dashed", "solid_dashed")
            }
            for how, confusion in both.items():
                for true, told in confusion.items():
                    total[how].update({(true, style): number for style, number in told.items()})
            cells = [str(size) for size in sizes.values()] + [
                solid_or_dashed(both[how]) for how in ("picture", "track")
            ]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        cells = [solid_or_dashed(rows(total[how])) for how in ("picture", "track")]
        lines.append("| all | | | | " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def summary(confusion: dict[str, dict[str, int]]) -> str:
    """How much was told, and how much of that is right."""
    all_lines = sum(sum(told.values()) for told in confusion.values())
    told_lines = all_lines - sum(told.get("none", 0) for told in confusion.values())
    right = sum(told.get(true, 0) for true, told in confusion.items())
    return f"{told_lines} of {all_lines} lines told, {right / max(told_lines, 1):.1%} of these right"


def confusion_table(confusion: dict[str, dict[str, int]], words: Sequence[str]) -> str:
    """True down, told across."""
    lines = ["| true | " + " | ".join([*words, "none"]) + " |", "|---" * (len(words) + 2) + "|"]
    for true in words:
        told = confusion.get(true, {})
        lines.append(f"| {true} | " + " | ".join(str(told.get(word, 0)) for word in [*words, "none"]) + " |")
    return "\n".join(lines)


def solid_or_dashed(confusion: dict[str, dict[str, int]]) -> str:
    """How much is right of what was told, double lines as solid ones and dots as dashes, as the labels have them."""
    alike = {"solid": ("solid", "double"), "dashed": ("dashed", "dots")}
    right = sum(confusion.get(true, {}).get(told, 0) for true, words in alike.items() for told in words)
    lines = sum(sum(confusion.get(true, {}).values()) for true in alike)
    told = lines - sum(confusion.get(true, {}).get("none", 0) for true in alike)
    return f"{right / told:.1%} ({told / lines:.0%})" if told else "-"


if __name__ == "__main__":
    main()
