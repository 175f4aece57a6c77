import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanenet_sad.lanes.files import (
    CULaneListEntry,
    parse_culane_lines,
    read_culane_lines,
    read_culane_list,
    relative_name,
    replacing,
    write_culane_lines,
    write_culane_list,
)
from lanenet_sad.lanes.lane import Lane, LanePrediction
from lanenet_sad.lanes.tusimple_files import points_at_rows, read_tusimple, write_tusimple

SHARES_FOLDER = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


# What a C++ stream that reads pairs of doubles made of these lines (g++, libstdc++).
@pytest.mark.parametrize(
    ("line", "points"),
    [
        pytest.param("1 2 3.5 4", [[1, 2], [3.5, 4]], id="plain"),
        pytest.param("1 2 3", [[1, 2]], id="unpaired"),
        pytest.param("1 2 x 3 4", [[1, 2]], id="stops-at-word"),
        pytest.param("  1\t2\r", [[1, 2]], id="crlf"),
        pytest.param("", [], id="blank"),
        pytest.param("1-2", [[1, -2]], id="sign-starts-number"),
        pytest.param("1.5.25 +3 .5", [[1.5, 0.25], [3, 0.5]], id="second-dot-starts-number"),
        pytest.param("1e2 2E-1", [[100, 0.2]], id="exponent"),
        pytest.param("1 2 3e 4", [[1, 2]], id="exponent-without-digits"),
        pytest.param("1 2 1e400 4", [[1, 2]], id="beyond-double"),
        pytest.param("1e-400 7", [[0, 7]], id="underflow"),
        pytest.param("1 2 nan 4", [[1, 2]], id="nan-is-no-number"),
        pytest.param("1 2 inf 4", [[1, 2]], id="inf-is-no-number"),
        pytest.param("1,2 3", [], id="comma"),
        pytest.param("1_0 2", [], id="underscore"),
        pytest.param("1e39 5", [[np.inf, 5]], id="beyond-single"),
    ],
)
def test_line_is_read_as_a_c_stream_does(line: str, points: list[list[float]]) -> None:
    lanes = parse_culane_lines(line + "\n")
    assert len(lanes) == 1
    np.testing.assert_allclose(lanes[0].points, np.array(points, dtype=float).reshape(-1, 2), rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("\n", [0], id="blank-line"),
        pytest.param("1 2\n\n3 4 5 6", [1, 0, 2], id="blank-between-no-final-newline"),
        pytest.param("1 2\r3 4\n", [2], id="carriage-return-is-space"),
    ],
)
def test_every_text_line_is_a_lane(text: str, counts: list[int]) -> None:
    assert [len(lane.points) for lane in parse_culane_lines(text)] == counts


def test_coordinates_are_single_precision() -> None:
    (lane,) = parse_culane_lines("1.1 2.2")
    assert lane.points.tolist() == [[float(np.float32(1.1)), float(np.float32(2.2))]]


def test_missing_lines_file_has_no_lanes(tmp_path: Path) -> None:
    assert read_culane_lines(tmp_path / "none" / "00000.lines.txt") == []


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_parser_takes_any_text(text: str) -> None:
    lanes = parse_culane_lines(text)
    assert len(lanes) == text.count("\n") + (not text.endswith("\n") and bool(text))


@SHARES_FOLDER
@given(st.binary())
def test_any_bytes_are_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.lines.txt"
    path.write_bytes(content)
    assert all(lane.points.shape[1] == 2 for lane in read_culane_lines(path))


coordinates = st.floats(-5000, 5000).map(lambda x: round(x, 2))
polylines = st.lists(st.lists(st.tuples(coordinates, coordinates), max_size=6), max_size=5)


@SHARES_FOLDER
@given(polylines)
def test_lines_written_and_read_are_the_same(tmp_path: Path, lines: list[list[tuple[float, float]]]) -> None:
    path = tmp_path / "new" / "a.lines.txt"
    write_culane_lines(path, [Lane(np.array(points, dtype=float)) for points in lines])
    lanes = read_culane_lines(path)
    assert [len(lane.points) for lane in lanes] == [len(points) for points in lines]
    for lane, points in zip(lanes, lines, strict=True):
        np.testing.assert_allclose(lane.points, np.array(points, dtype=float).reshape(-1, 2), atol=1e-3)


def test_lane_that_is_not_finite_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected finite coordinates"):
        write_culane_lines(tmp_path / "a.lines.txt", [Lane(np.array([[np.inf, 1.0]]))])
    assert list(tmp_path.iterdir()) == []


def attempt(read: Callable[[], list[Any]]) -> tuple[list[Any], str]:
    """What the reader gives, or nothing and its documented error; any other error fails the test."""
    try:
        return read(), ""
    except ValueError as error:
        return [], str(error)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_list_entries(tmp_path: Path) -> None:
    path = write(tmp_path / "list.txt", "/a/0.jpg\n/a/1.jpg /m/1.png\n\n/a/2.jpg /m/2.png 0 1 1 0\r\n")
    assert read_culane_list(path, 4) == [
        CULaneListEntry("/a/0.jpg"),
        CULaneListEntry("/a/1.jpg", "/m/1.png"),
        CULaneListEntry("/a/2.jpg", "/m/2.png", (0, 1, 1, 0)),
    ]


def test_list_written_and_read_is_the_same(tmp_path: Path) -> None:
    entries = [
        CULaneListEntry("/a.jpg"),
        CULaneListEntry("/b.jpg", "/b.png"),
        CULaneListEntry("/c.jpg", "/c.png", (1, 0)),
    ]
    write_culane_list(tmp_path / "list/own.txt", entries)
    assert read_culane_list(tmp_path / "list/own.txt", 2) == entries


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(CULaneListEntry("/a.jpg", None, (1, 0)), id="flags-without-mask"),
        pytest.param(CULaneListEntry("/my road.jpg"), id="space"),
        pytest.param(CULaneListEntry(""), id="no-name"),
    ],
)
def test_list_entry_that_the_format_cannot_say(tmp_path: Path, entry: CULaneListEntry) -> None:
    with pytest.raises(ValueError, match=r"CULane list .*own.txt: expected names without spaces"):
        write_culane_list(tmp_path / "own.txt", [entry])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "/a.jpg /a.png 1 1 0 0\n/b.jpg /b.png 1",
            "line 2: expected an image, a mask and 4 existence flags, got 3 fields.",
            id="fields",
        ),
        pytest.param("/a.jpg /a.png 1 1 0 2", "line 1: expected existence flags of 0 or 1 after", id="flag"),
        pytest.param(
            "/a.jpg\n/../b.jpg", "line 2: expected the name of a file inside the dataset's folder", id="climbs"
        ),
        pytest.param(
            "/a.jpg ..\\m.png", "line 1: expected the name of a file inside the dataset's folder", id="backslash"
        ),
        pytest.param(".", "line 1: expected the name of a file inside the dataset's folder", id="dot"),
        pytest.param("/", "line 1: expected the name of a file inside the dataset's folder", id="no-name"),
        pytest.param(" \n\n", "expected one image per line, got an empty list.", id="empty"),
    ],
)
def test_wrong_list(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "list.txt", text)
    with pytest.raises(ValueError) as error:
        read_culane_list(path, 4)
    assert str(error.value).startswith(f"CULane list {path}")
    assert message in str(error.value)


def test_missing_list_and_folder_and_bytes(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"CULane list .*list.txt: there is no such file"):
        read_culane_list(tmp_path / "list.txt")
    with pytest.raises(ValueError, match=r"got a folder"):
        read_culane_list(tmp_path)
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ValueError, match=r"expected text in UTF-8"):
        read_culane_list(tmp_path / "picture.jpg")


@SHARES_FOLDER
@given(st.binary() | st.text(alphabet="/a.. 01\n\\").map(str.encode))
def test_list_reader_gives_entries_or_its_documented_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    entries, complaint = attempt(lambda: read_culane_list(path, 4))
    assert complaint.startswith(f"CULane list {path}") != bool(entries)
    assert all(tmp_path in (tmp_path / relative_name(entry.image)).resolve().parents for entry in entries)


ROWS = np.arange(160.0, 720.0, 10.0)


def frame_line(**changes: object) -> str:
    frame = {"raw_file": "clips/a/20.jpg", "lanes": [[-2, 630, 620]], "h_samples": [240, 250, 260], "run_time": 12.5}
    return json.dumps({key: value for key, value in {**frame, **changes}.items() if value is not ...})


def test_tusimple_frame(tmp_path: Path) -> None:
    (frame,) = read_tusimple(write(tmp_path / "labels.json", frame_line() + "\n"))
    assert (frame.name, frame.image_size, frame.run_time) == ("clips/a/20.jpg", (720, 1280), 0.0125)
    assert frame.row_anchors is not None
    assert frame.row_anchors.tolist() == [240, 250, 260]
    assert frame.lanes[0].points.tolist() == [[620, 260], [630, 250]]  # near to far


def test_tusimple_prediction_gets_its_rows_from_the_labels(tmp_path: Path) -> None:
    path = write(tmp_path / "predictions.json", frame_line(h_samples=...))
    with pytest.raises(ValueError, match=r"line 1 h_samples: expected a list of finite numbers"):
        read_tusimple(path)
    (frame,) = read_tusimple(path, row_anchors={"clips/a/20.jpg": np.array([240.0, 250.0, 260.0])})
    assert frame.lanes[0].points.tolist() == [[620, 260], [630, 250]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("{'raw_file': 1}", "expected a JSON object, got", id="no-json"),
        pytest.param("", "expected a JSON object, got ''", id="blank"),
        pytest.param("[1]", "expected a JSON object with raw_file, lanes and h_samples", id="list"),
        pytest.param(frame_line(raw_file=...), "expected a JSON object with raw_file", id="no-raw-file"),
        pytest.param(frame_line(raw_file="../../secret.jpg"), "inside the dataset's folder, got '../../", id="climbs"),
        pytest.param(frame_line(lanes=None), "expected lanes to be a list of lists", id="lanes-null"),
        pytest.param(frame_line(lanes=[[1, 2]]), "expected 3 values in lane 0, one per row, got 2.", id="short-lane"),
        pytest.param(frame_line(lanes=[[1, 2, "3"]]), "lane 0: expected a list of finite numbers", id="string-in-lane"),
        pytest.param(frame_line(lanes=[[1, [2], 3]]), "lane 0: expected a list of finite numbers", id="ragged-lane"),
        pytest.param(frame_line(lanes=[[1, 2, float("nan")]]), "lane 0: expected a list of finite numbers", id="nan"),
        pytest.param(frame_line(run_time=None), "run_time: expected a list of finite numbers", id="run-time-null"),
        pytest.param("[" * 100_000, "which is no JSON", id="deep"),
    ],
)
def test_wrong_tusimple_line(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path / "labels.json", f"{frame_line()}\n{line}\n")
    with pytest.raises(ValueError) as error:
        read_tusimple(path)
    assert str(error.value).startswith(f"TuSimple file {path}, line 2")
    assert message in str(error.value)


def test_missing_and_empty_tusimple_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"TuSimple file .*none.json: there is no such file"):
        read_tusimple(tmp_path / "none.json")
    with pytest.raises(ValueError, match=r"got an empty file"):
        read_tusimple(write(tmp_path / "empty.json", ""))


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["raw_file", "lanes"]), inner),
    max_leaves=6,
)


@SHARES_FOLDER
@given(
    st.text(max_size=20)
    | st.fixed_dictionaries(
        {},
        optional={"raw_file": st.just("a.jpg") | json_values, "lanes": json_values, "h_samples": json_values,
                  "run_time": json_values},
    ).map(json.dumps)
)  # fmt: skip
def test_tusimple_reader_gives_frames_or_its_documented_error(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "labels.json", line)
    frames, complaint = attempt(lambda: read_tusimple(path))
    assert complaint.startswith(f"TuSimple file {path}") != bool(frames)
    assert all((lane.points[:, 0] >= 0).all() for frame in frames for lane in frame.lanes)


row_values = st.one_of(st.just(-2.0), st.floats(0, 1280).map(lambda x: round(x, 2)))


@SHARES_FOLDER
@given(st.lists(st.lists(row_values, min_size=56, max_size=56), max_size=3))
def test_tusimple_written_and_read_is_the_same(tmp_path: Path, columns: list[list[float]]) -> None:
    first = write(tmp_path / "a.json", json.dumps({"raw_file": "a.jpg", "lanes": columns, "h_samples": ROWS.tolist()}))
    write_tusimple(tmp_path / "b.json", read_tusimple(first))
    again = json.loads((tmp_path / "b.json").read_text())
    assert again == {"raw_file": "a.jpg", "lanes": columns, "h_samples": ROWS.tolist(), "run_time": 0}


def test_real_tusimple_labels_come_back_unchanged(tmp_path: Path, shared: Path) -> None:
    original = gzip.decompress((shared / "goldens/tusimple/labels.json.gz").read_bytes()).decode()
    frames = read_tusimple(write(tmp_path / "labels.json", original))
    write_tusimple(tmp_path / "again.json", frames)
    again = [json.loads(line) for line in (tmp_path / "again.json").read_text().splitlines()]
    assert len(frames) == 200
    for line, frame in zip(original.splitlines(), again, strict=True):
        expected = json.loads(line)
        assert {key: frame[key] for key in expected} == expected


def test_free_polyline_is_sampled_at_the_rows(tmp_path: Path) -> None:
    lane = Lane(np.array([[100.0, 715.0], [300.0, 515.0], [-100.0, 315.0]]))
    prediction = LanePrediction(
        (lane,), (720, 1280), "a.jpg", row_anchors=np.array([300.0, 320.0, 500.0, 520.0, 720.0])
    )
    write_tusimple(tmp_path / "a.json", [prediction])
    written = json.loads((tmp_path / "a.json").read_text())
    assert written["lanes"] == [[-2, -2, 270, 295, -2]]  # above, left of the image, sampled, sampled, below


def test_gap_between_rows_stays_a_gap() -> None:
    lane = Lane(np.array([[10.0, 30.0], [20.0, 10.0]]))
    np.testing.assert_array_equal(points_at_rows(lane, np.array([10.0, 20.0, 30.0])), [20, np.nan, 10])


def test_prediction_without_rows_is_no_tusimple_prediction(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected row anchors for a.jpg"):
        write_tusimple(tmp_path / "a.json", [LanePrediction((), (720, 1280), "a.jpg")])


def test_replacing_makes_folders_and_leaves_nothing_else(tmp_path: Path) -> None:
    with replacing(tmp_path / "new/deep/a.tar.gz") as temporary:
        assert temporary.suffix == ".gz"
        temporary.write_text("whole")
    assert (tmp_path / "new/deep/a.tar.gz").read_text() == "whole"
    assert len(list((tmp_path / "new/deep").iterdir())) == 1


def test_failed_write_keeps_what_was_there(tmp_path: Path) -> None:
    target = write(tmp_path / "a.txt", "old")

    def fail() -> None:
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    write(tmp_path / "file", "")
    with (
        pytest.raises(OSError, match=rf"Cannot write a.txt into the folder {tmp_path / 'file'}: "),
        replacing(tmp_path / "file" / "a.txt"),
    ):
        pytest.fail("there is nothing to write to")
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match=rf"Cannot write taken into the folder {tmp_path}: "):
        write_culane_lines(tmp_path / "taken", [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]


def test_error_about_another_file_stays_itself(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"other.txt"), replacing(tmp_path / "a.txt"):
        (tmp_path / "other.txt").read_text()
