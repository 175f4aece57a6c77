"""`python tools/ablate.py …` is the command `lanenet-sad ablate …`."""

import sys

from lanenet_sad.cli import main

raise SystemExit(main(["ablate", *sys.argv[1:]]))
