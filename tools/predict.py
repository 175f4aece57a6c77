"""`python tools/predict.py …` is the command `lanenet-sad predict …`."""

import sys

from lanenet_sad.cli import main

raise SystemExit(main(["predict", *sys.argv[1:]]))
