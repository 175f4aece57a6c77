"""`python -m lanenet_sad` is the command `lanenet-sad`."""

from lanenet_sad.cli import main

raise SystemExit(main())
