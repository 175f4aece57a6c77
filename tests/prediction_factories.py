"""What the tests of `predict` share: a network that is sure of something everywhere, and short calls."""

import json
from dataclasses import dataclass
from pathlib import Path

from lanenet_sad.postprocess.decode import LaneDecoder
from lanenet_sad.predict import predict


@dataclass(frozen=True)
class Unrefined(LaneDecoder):
    """What an untrained network sees is no line, and would be left out as stray points."""

    refine: bool = False


def find(source, out: Path, weights: Path, **options):
    return predict(str(source), out=out, weights=weights, device="cpu", progress=False, **{"threshold": 0.0, **options})


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
