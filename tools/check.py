"""`python tools/check.py …` is the command `lanenet-sad check …`."""

import sys

from lanenet_sad.cli import main

raise SystemExit(main(["check", *sys.argv[1:]]))
