import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanenet_sad.lanes.llamas_markers import parse_llamas_label, read_llamas_label

fuzzing = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ROWS = np.arange(717.0)


def marker(near: tuple[int, int], far: tuple[int, int], distance: float = 5.0) -> dict[str, Any]:
    """As in the files, where numbers are strings."""
    start, end = ({"x": str(x), "y": str(y)} for x, y in (near, far))
    world = {"x": "0.1", "y": "0.2", "z": str(distance)}
    return {"lane_marker_id": "a", "pixel_start": start, "pixel_end": end, "world_start": world, "world_end": world}


def label(**markers: list[dict[str, Any]]) -> str:
    parts = [{"lane_id": name, "markers": some} for name, some in markers.items()]
    return json.dumps({"image_name": "a", "projection_matrix": [[1, 0, 0], [0, 1, 0], [0, 0, 1]], "lanes": parts})


DASHES = [marker((600, 700), (610, 660)), marker((620, 620), (625, 600), 20.0)]


def test_markers_become_x_at_rows() -> None:
    left, own, right, far_right = parse_llamas_label(label(l0=DASHES))
    assert np.isnan([left, right, far_right]).all()
    at = {716: 596, 708: 598, 700: 600, 680: 605, 660: 610, 640: 615, 620: 620, 600: 625}
    assert {row: own[row] for row in at} == pytest.approx(at)
    assert np.isnan(own[:600]).all()
    assert not np.isnan(own[600:]).any()


def test_markers_in_one_row_are_averaged_with_starts_twice() -> None:
    beside = marker((630, 710), (610, 690), 9.0)
    own = parse_llamas_label(label(l0=[*DASHES, beside]))[1]
    assert own[700] == (600 + 600 + 600 + 620) / 4  # start and first step, the end of its extension, the other marker


@pytest.mark.parametrize(
    ("near", "far", "end"),
    [((10, 600), (110, 500), (0, 610)), ((1266, 600), (1166, 500), (1276, 610))],
    ids=["left", "right"],
)
def test_nearest_marker_is_drawn_out_to_the_side(
    near: tuple[int, int], far: tuple[int, int], end: tuple[int, int]
) -> None:
    further = marker((far[0], 480), (far[0] + 20, 440), 30.0)
    own = parse_llamas_label(label(l0=[further, marker(near, far)]))[1]
    assert own[end[1]] == end[0]
    assert np.isnan(own[end[1] + 1 :]).all()


@pytest.mark.parametrize(
    "markers",
    [DASHES[:1], [marker((600, 700), (610, 660)), marker((620, 681), (625, 600))]],
    ids=["one-marker", "low"],
)
def test_short_lanes_are_left_out(markers: list[dict[str, Any]]) -> None:
    assert np.isnan(parse_llamas_label(label(l0=markers))).all()


def test_names_close_the_gaps() -> None:
    rows = parse_llamas_label(label(l3=DASHES, l5=DASHES, r0=DASHES[:1], r2=DASHES, l7=DASHES))
    assert [bool(np.isnan(x).all()) for x in rows] == [False, False, False, True]


def test_lane_that_cannot_be_drawn_out_stays() -> None:
    straight = [marker((600, 700), (600, 660)), marker((600, 620), (600, 600))]
    own = parse_llamas_label(label(l0=straight))[1]
    assert np.isnan(own[701:]).all()
    assert (own[600:701] == 600).all()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "expected JSON"),
        ("[]", "a list of lanes"),
        ('{"lanes": [{"lane_id": "l0"}]}', "lane 0: expected a lane_id, and markers"),
        (label(x0=DASHES), "begins with l or r, got 'x0'"),
        (label(l0=[*DASHES, marker((1, 800), (5, 700))]), "rows 0 to 716, got row 800"),
    ],
    ids=["no-json", "no-object", "no-markers", "name", "outside"],
)
def test_broken_labels_are_named(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"LLAMAS label .*a\.json: .*{complaint}"):
        read_llamas_label(path)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["lanes", "lane_id", "markers", "pixel_start", "pixel_end", "world_start", "x", "y", "z", "l0"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
places = st.fixed_dictionaries({"x": st.integers(-50, 1400) | anything, "y": st.integers(-5, 730) | anything})
markers = st.fixed_dictionaries(
    {"pixel_start": places, "pixel_end": places, "world_start": st.fixed_dictionaries({"z": st.floats() | anything})}
)
labels = st.fixed_dictionaries(
    {
        "lanes": st.lists(
            st.fixed_dictionaries(
                {"lane_id": st.sampled_from(["l0", "r1", "r10"]), "markers": st.lists(markers, max_size=3)}
            )
        )
    }
)


@settings(fuzzing, max_examples=30)
@given(data=st.binary(max_size=80) | st.one_of(labels, anything).map(lambda content: json.dumps(content).encode()))
def test_any_bytes_as_a_label_give_the_error_or_lanes(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    try:
        outcome = str(read_llamas_label(path).shape)
    except ValueError as error:
        outcome = str(error)
    assert "a.json" in outcome or outcome == "(4, 717)"
