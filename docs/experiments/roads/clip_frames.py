"""Hand-labelled frames of video clips -> a folder in CULane's layout, for `lanenet-sad evaluate`.

Usage: python clip_frames.py VIDEOS_DIR OUT_DIR   (the clips themselves are not part of this project)
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from lanenet_sad.inference.sources import open_source
from lanenet_sad.lanes.files import CULaneListEntry, write_culane_lines, write_culane_list
from lanenet_sad.lanes.lane import Lane

SLOTS = {"outer_left": 1, "left": 2, "right": 3, "outer_right": 4}
LABELS = Path(__file__).with_name("clip_labels.json")


def main(videos: Path, out: Path) -> None:
    """Write the frames, their `*.lines.txt`, and the lists `all` and `unseen` (no frame of the clip was trained on)."""
    wanted = defaultdict(dict)
    for frame in json.loads(LABELS.read_text(encoding="utf-8"))["frames"]:
        wanted[frame["clip"]][frame["frame"]] = frame
    entries, unseen = [], []
    for clip, labels in sorted(wanted.items()):
        with open_source(str(videos / clip)) as frames:
            for number, frame in enumerate(frames):
                if number in labels:
                    entries.append(write_frame(out, clip, labels[number], frame.image))
                    if not labels[number]["seen_in_training"]:
                        unseen.append(entries[-1])
    write_culane_list(out / "list" / "all_gt.txt", entries)
    write_culane_list(out / "list" / "unseen_gt.txt", unseen)
    print(f"{len(entries)} frames, {len(unseen)} of them of clips without a frame in training, in {out}")


def write_frame(out: Path, clip: str, label: dict, image: np.ndarray) -> CULaneListEntry:
    """Write one frame and its lines; returns its line for the lists."""
    assert image.shape[:2] == (label["height"], label["width"]), (clip, image.shape)
    name = f"/{Path(clip).stem}/{label['frame']:05d}.png"
    path = out / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[..., ::-1])
    write_culane_lines(path.with_suffix(".lines.txt"), [Lane(np.array(lane["points"])) for lane in label["lanes"]])
    slots = {SLOTS[lane["role"]] for lane in label["lanes"]}
    return CULaneListEntry(name, "/none.png", tuple(int(slot in slots) for slot in range(1, 5)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
