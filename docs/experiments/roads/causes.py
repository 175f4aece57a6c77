"""Why lanes were missed or invented: counts by how near the nearest lane of the other side is, and frames by clip.

Usage: python causes.py ROOT SPLIT PREDICTIONS_DIR   (after `lanenet-sad evaluate`)
"""

import sys
from collections import Counter
from pathlib import Path

from lanenet_sad.datasets import CULane
from lanenet_sad.lanes.files import lines_path, read_culane_lines
from lanenet_sad.metrics.culane import lane_ious
from lanenet_sad.metrics.matching import match

CANVAS_WIDTH = 1640


def cause(iou: float) -> str:
    """In words."""
    return "near miss (IoU 0.3-0.5)" if iou > 0.3 else "touching (0.05-0.3)" if iou > 0.05 else "nothing near"


def main(root: Path, split: str, predictions: Path) -> None:
    """Print the tables."""
    data = CULane(root, f"list/{split}_gt.txt")
    causes, frames, right = Counter(), Counter(), Counter()
    for index in range(len(data)):
        truth = data.truth(index)
        height, width = truth.image_size
        scale = CANVAS_WIDTH / width
        found = read_culane_lines(lines_path(predictions, truth.name))
        ious = lane_ious(
            [lane.points * scale for lane in truth.lanes],
            [lane.points * scale for lane in found],
            (round(height * scale), CANVAS_WIDTH),
            30,
        )
        pairs = {(g, p) for g, p in enumerate(match(ious)) if p >= 0 and ious[g, p] > 0.5}
        hit = {g for g, _ in pairs}
        for g, lane in enumerate(truth.lanes):
            if g not in hit:
                where = "ego" if lane.slot in (2, 3) else "outer"
                causes["missed", where, cause(ious[g].max() if len(found) else 0.0)] += 1
        for p in set(range(len(found))) - {p for _, p in pairs}:
            causes["invented", "", cause(ious[:, p].max() if len(truth.lanes) else 0.0)] += 1
        ego = {g for g, lane in enumerate(truth.lanes) if lane.slot in (2, 3)}
        group = truth.name.strip("/").rpartition("/")[0]
        frames[group] += 1
        right[group] += ego <= hit
    for key, count in sorted(causes.items()):
        print(*key, count, sep="\t")
    for group, count in sorted(frames.items()):
        print(group, f"ego lanes all right in {right[group]} of {count} frames", sep="\t")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
