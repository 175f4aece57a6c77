"""The lanes of a video in your own program: `python examples/video_lanes.py drive.mp4`."""

import sys

from lanenet_sad.inference.pipeline import LanePipeline


def main(source: str) -> None:
    """Prints, frame by frame, which lines there are and where the vehicle is between them."""
    with LanePipeline(source) as pipeline:
        for frame, prediction in pipeline:
            lines = [f"{lane.track_id} ({lane.confidence:.0%})" for lane in prediction.lanes]
            offset = prediction.road.lateral_offset if prediction.road else None
            place = "" if offset is None else f", {offset:+.2f} m right of the middle"
            print(f"{frame.time:.2f} s: lines {', '.join(lines) or 'none'}{place}")
        for fault in pipeline.source.faults:
            print(fault, file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])
