"""A contact sheet of evenly spaced frames of each video, with the lanes that a network finds.

Usage: python clip_sheets.py VIDEOS_DIR OUT_DIR [WEIGHTS]   (default: the weights that ship)
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from lanenet_sad import LaneAnnotator, Predictor, open_source
from lanenet_sad.visualization.contact_sheet import contact_sheet

NUM_FRAMES = 12


def main(videos: Path, out: Path, weights: Path | None) -> None:
    """Write `<clip>.png` for every video; captions are frame number and confidence by slot."""
    predictor, annotator = Predictor.from_weights(weights), LaneAnnotator()
    out.mkdir(parents=True, exist_ok=True)
    for video in sorted(videos.glob("*.mp4")):
        with open_source(str(video)) as source:
            frames = list(source)
        chosen = [frames[int((i + 0.5) / NUM_FRAMES * len(frames))] for i in range(NUM_FRAMES)]
        pictures, captions = [], []
        for frame in chosen:
            (prediction,) = predictor([frame.image])
            pictures.append(annotator.annotate(frame.image, prediction))
            found = " ".join(f"{lane.slot}:{lane.confidence:.2f}" for lane in prediction.lanes)
            captions.append(f"{frame.index} {found}")
        sheet = contact_sheet(pictures, captions, columns=4, cell_width=480)
        cv2.imwrite(str(out / f"{video.stem}.png"), np.ascontiguousarray(sheet[..., ::-1]))
        print(video.stem, len(frames))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
