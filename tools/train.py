"""`python tools/train.py …` is the command `lanenet-sad train …`."""

import sys

from lanenet_sad.cli import main

raise SystemExit(main(["train", *sys.argv[1:]]))
