"""`python tools/evaluate.py …` is the command `lanenet-sad evaluate …`."""

import sys

from lanenet_sad.cli import main

raise SystemExit(main(["evaluate", *sys.argv[1:]]))
