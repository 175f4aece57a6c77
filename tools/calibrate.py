"""`python tools/calibrate.py …` is the command `lanenet-sad calibrate …`."""

import sys

from lanenet_sad.cli import main

raise SystemExit(main(["calibrate", *sys.argv[1:]]))
