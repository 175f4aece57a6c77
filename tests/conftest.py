"""Fixtures for all tests."""

import os
from pathlib import Path

# Before torch is imported: threads that wait sleep, which is faster by far where other work runs beside the tests.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:  # as many processes as cores run tests already
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of goldens and real data beside the project; a test that needs it skips where it is not."""
    if not SHARED.is_dir():
        pytest.skip("the folder ../shared with goldens and real data is not here")
    return SHARED
