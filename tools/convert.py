"""`python tools/convert.py …` is the command `lanenet-sad convert …`."""

import sys

from lanenet_sad.cli import main

raise SystemExit(main(["convert", *sys.argv[1:]]))
