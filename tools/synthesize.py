"""`python tools/synthesize.py …` is the command `lanenet-sad synthesize …`."""

import sys

from lanenet_sad.cli import main

raise SystemExit(main(["synthesize", *sys.argv[1:]]))
