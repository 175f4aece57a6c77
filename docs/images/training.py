"""What distillation did in some training runs: effective support of each block, share of loss and gradient.

Usage: python training.py OUT.png TITLE=metrics.csv [TITLE=metrics.csv …]
"""

import sys
from pathlib import Path

from lanenet_sad.inference.sinks import write_image
from lanenet_sad.visualization import plot_training

if __name__ == "__main__":
    named = (word.rpartition("=") for word in sys.argv[2:])
    write_image(Path(sys.argv[1]), plot_training({title: Path(path) for title, _, path in named}))
