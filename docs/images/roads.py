"""The README's first picture: real frames above, rendered ones below, with the lanes that the shipped weights find.

Usage: python roads.py CLIP.mp4 RENDERED_ROOT OUT.jpg   (the clip is Udacity's solidWhiteRight, MIT licence)
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from lanenet_sad import LaneAnnotator, Predictor, open_source
from lanenet_sad.datasets import CULane
from lanenet_sad.visualization.contact_sheet import contact_sheet

FRAMES = (20, 110, 200)
RENDERED = (43, 40, 38)


def main(clip: str, rendered: Path, out: str) -> None:
    """Write the picture."""
    with open_source(clip) as source:
        frames = [frame.image for frame in source if frame.index in FRAMES]
    roads = CULane(rendered, "list/test.txt")
    predictor, annotator = Predictor.from_weights(), LaneAnnotator()
    images = frames + [roads.image(index) for index in RENDERED]
    drawn = [annotator.annotate(image, predictor([image])[0]) for image in images]
    below_the_sky = [image[-round(image.shape[1] / 2.5) :] for image in drawn]
    sheet = contact_sheet(below_the_sky, columns=3, cell_width=480)
    cv2.imwrite(out, np.ascontiguousarray(sheet[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
