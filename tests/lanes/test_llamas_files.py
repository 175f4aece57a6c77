"""LLAMAS label files: markers -> x in each row, as the official scripts make them."""

import json
from pathlib import Path

import numpy as np
import pytest
from benchmark_factories import llamas_lane, llamas_marker
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanenet_sad.lanes.llamas_files import llamas_points, read_llamas


def read(folder: Path, *lanes, **more):
    path = folder / "label.json"
    path.write_text(json.dumps({"lanes": list(lanes), "projection_matrix": [], **more}))
    return read_llamas(path)


def test_a_dashed_line_is_filled_and_extended_to_the_bottom(tmp_path):
    rows = read(tmp_path, llamas_lane("l0", 300))
    assert rows.shape == (4, 717)
    assert np.isnan(rows[[0, 2, 3]]).all()
    known = np.nonzero(~np.isnan(rows[1]))[0]
    assert known.tolist() == list(range(450, 717))
    expected = 638 + (300 - 638) * (known - 215) / (716 - 215)
    assert np.abs(rows[1, known] - expected).max() < 2


def test_lines_are_counted_anew_from_the_car_outwards(tmp_path):
    """As the official scripts: l3, l2 and l0 are l2, l1 and l0, whatever numbers are missing."""
    lanes = [llamas_lane(name, x) for name, x in (("l3", -2000), ("l2", -100), ("l0", 300), ("r1", 1000))]
    rows = read(tmp_path, *lanes)
    assert rows[1, 600] > rows[0, 600] > 0  # l0 and what was l2
    assert rows[2, 600] > rows[1, 600]
    assert np.isnan(rows[3]).all()


def test_short_lines_and_lone_markers_are_dropped(tmp_path):
    lone = llamas_lane("l0", 300, dashes=((650, 500),))
    low = llamas_lane("r0", 900, dashes=((650, 640), (635, 630)))
    assert np.isnan(read(tmp_path, lone, low)).all()


def test_the_nearest_marker_ends_at_the_side_of_the_picture(tmp_path):
    dashes = ((500, 450), (400, 350))
    rows = read(tmp_path, llamas_lane("l0", -300, dashes))
    lowest = np.nonzero(~np.isnan(rows[1]))[0].max()
    assert lowest < 716
    assert rows[1, lowest] == pytest.approx(0, abs=2)
    rows = read(tmp_path, llamas_lane("r0", 1600, dashes))
    lowest = np.nonzero(~np.isnan(rows[2]))[0].max()
    assert rows[2, lowest] == pytest.approx(1276, abs=2)


def test_several_markers_in_a_row_are_averaged(tmp_path):
    markers = [llamas_marker((500, 600), (500, 550), 30.0), llamas_marker((520, 600), (520, 550), 40.0)]
    rows = read(tmp_path, {"lane_id": "r0", "markers": markers})
    # Both stand upright, so none can be extended; the start of a marker counts twice, as officially.
    assert np.nonzero(~np.isnan(rows[2]))[0].size == 0  # no higher than 20 px between the starts
    markers.append(llamas_marker((510, 640), (510, 640), 20.0))
    rows = read(tmp_path, {"lane_id": "r0", "markers": markers})
    assert rows[2, 575] == 510
    assert np.nonzero(~np.isnan(rows[2]))[0].tolist() == list(range(550, 641))


def test_points_of_a_line():
    x = np.full(717, np.nan)
    x[[300, 301, 302]] = [-3.0, 5.5, 6.5]
    assert llamas_points(x).tolist() == [[6.5, 302], [5.5, 301]]
    x[302] = np.nan
    assert llamas_points(x).shape == (0, 2)


LANE = llamas_lane("l0", 300)


@pytest.mark.parametrize(
    ("lane", "said"),
    [
        pytest.param({"markers": []}, "lane 0: expected an object with 'lane_id', a str", id="no name"),
        pytest.param({**LANE, "lane_id": "x0"}, "expected a lane_id such as l0 or r1, got 'x0'", id="name"),
        pytest.param({"lane_id": "l0"}, "expected an object with 'markers', a list", id="no markers"),
        pytest.param({"lane_id": "l0", "markers": [3]}, "marker 0: expected an object with 'pixel_start'", id="marker"),
        pytest.param(
            {"lane_id": "l0", "markers": [llamas_marker((5, 717), (5, 3), 1)]},
            "marker 0, pixel_start: expected a row from 0 to 716, got 717",
            id="row",
        ),
    ],
)
def test_broken_labels(tmp_path, lane, said):
    with pytest.raises(ValueError, match=said) as error:
        read(tmp_path, lane)
    assert "label.json" in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"LLAMAS label .*none\.json: there is no such file"):
        read_llamas(tmp_path / "none.json")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=100))
def test_any_bytes(tmp_path, data):
    path = tmp_path / "label.json"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"label\.json"):
        read_llamas(path)


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
