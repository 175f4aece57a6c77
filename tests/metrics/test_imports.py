import subprocess
import sys


def test_metrics_leave_torch_alone() -> None:
    code = "import sys, lanenet_sad.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
