"""`python tools/score.py …` is the command `lanenet-sad score …`."""

import sys

from lanenet_sad.cli import main

raise SystemExit(main(["score", *sys.argv[1:]]))
