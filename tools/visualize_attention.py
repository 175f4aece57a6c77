"""`python tools/visualize_attention.py …` is the command `lanenet-sad attention …`."""

import sys

from lanenet_sad.cli import main

raise SystemExit(main(["attention", *sys.argv[1:]]))
