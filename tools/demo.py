"""`python tools/demo.py …` is the command `lanenet-sad demo …`."""

import sys

from lanenet_sad.cli import main

raise SystemExit(main(["demo", *sys.argv[1:]]))
