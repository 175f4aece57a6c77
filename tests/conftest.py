"""Fixtures for all tests."""

import os
import signal
from collections.abc import Iterator
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


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weight file whose untrained network is sure of four lanes everywhere."""
    from factories import write_weights  # torch, which most tests do without

    return write_weights(tmp_path_factory.mktemp("weights") / "sure.safetensors")


@pytest.fixture
def unrefined(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an untrained network sees is no line, and would be left out as stray points."""
    from prediction_factories import Unrefined

    monkeypatch.setattr("lanenet_sad.inference.predictor.LaneDecoder", Unrefined)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C and SIGTERM raise, also in a suite that runs in the background and ignores them; afterwards as before."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    previous = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    yield
    for number, handler in previous.items():
        signal.signal(number, handler)
