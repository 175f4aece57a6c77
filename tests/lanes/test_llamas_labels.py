"""LLAMAS labels: any bytes and any numbers give a result, or an error that names the file."""

import json

import numpy as np
import pytest
from benchmark_factories import llamas_lane
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanenet_sad.lanes.llamas_markers import read_llamas_label


def read(folder, lane):
    path = folder / "label.json"
    path.write_text(json.dumps({"lanes": [lane], "projection_matrix": []}))
    return read_llamas_label(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=100))
def test_any_bytes(tmp_path, data):
    path = tmp_path / "label.json"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"label\.json"):
        read_llamas_label(path)


NUMBERS = st.integers(-2000, 2000) | st.floats() | st.text(max_size=3) | st.sampled_from(["-999999", "716", "0"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["pixel_start", "pixel_end", "world_start"]), st.sampled_from("xyz"), NUMBERS, st.integers(0, 1))
def test_mutated_labels(tmp_path, point, key, value, number):
    lane = llamas_lane("r0", 900)
    lane["markers"][number][point][key] = value
    try:
        rows = read(tmp_path, lane)
    except ValueError as error:
        assert "label.json" in str(error)  # noqa: PT017 - a result is as good
        return
    assert rows.shape == (4, 717)
    assert not np.isinf(rows).any()
