import subprocess
import sys

import pytest

import lanenet_sad.datasets


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        pytest.param("import lanenet_sad.datasets", ["albumentations", "torch", "cv2"], id="package"),
        pytest.param("from lanenet_sad.datasets import CULane, TuSimple", ["albumentations", "torch"], id="datasets"),
        pytest.param("from lanenet_sad.datasets import SampleSet, StepBatches", ["albumentations"], id="sampling"),
        pytest.param("import lanenet_sad.lanes.slots", ["torch", "albumentations"], id="lanes"),
    ],
)
def test_import_is_light(statement: str, absent: list[str]) -> None:
    program = f"{statement}\nimport sys\nprint(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "lanenet_sad.datasets" in loaded or "lanenet_sad.lanes.slots" in loaded
    assert not set(absent) & set(loaded)


def test_every_public_name_is_there() -> None:
    for name in lanenet_sad.datasets.__all__:
        assert getattr(lanenet_sad.datasets, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        lanenet_sad.datasets.Nothing  # noqa: B018
