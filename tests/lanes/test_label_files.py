"""Label files of labelme, CVAT and COCO, read."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanenet_sad.lanes.centre_lines import centre_line
from lanenet_sad.lanes.coco_files import read_coco
from lanenet_sad.lanes.curves import sample_at_rows
from lanenet_sad.lanes.cvat_files import read_cvat
from lanenet_sad.lanes.label_tools import write_cvat, write_labelme
from lanenet_sad.lanes.labelme_files import read_labelme
from lanenet_sad.lanes.lane import Lane, LanePrediction

LINE = np.array([[100.0, 350.0], [160.0, 250.0], [190.0, 180.0]])
fuzz = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(path: Path, content) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def strip(line: np.ndarray, half: float, rng: np.random.Generator | None = None) -> list[list[float]]:
    """An area around a line, as wide below as people draw it, with a shaking hand if one is given."""
    widths = half * (line[:, 1:] - 100) / 250
    left, right = line - widths * [1, 0], (line + widths * [1, 0])[::-1]
    outline = np.concatenate([left, right])
    return (outline + (0 if rng is None else rng.normal(0, 0.7, outline.shape))).tolist()


def test_our_own_labelme_files_are_read_back(tmp_path):
    prediction = LanePrediction((Lane(LINE, slot=2),), (360, 640), "a.jpg")
    write_labelme(tmp_path / "a.json", prediction, tmp_path / "pictures/a.jpg")
    read = read_labelme(tmp_path / "a.json")
    assert (read.name, read.image_size) == ("pictures/a.jpg", (360, 640))
    assert [line.label for line in read.lines] == ["lane_2"]
    np.testing.assert_allclose(read.lines[0].points, LINE)


def test_our_own_cvat_files_are_read_back(tmp_path):
    write_cvat(tmp_path / "a.xml", [LanePrediction((Lane(LINE[::-1]),), (360, 640), f"{n}.jpg") for n in range(2)])
    read = read_cvat(tmp_path / "a.xml")
    assert [picture.name for picture in read.pictures] == ["0.jpg", "1.jpg"]
    np.testing.assert_allclose(read.pictures[1].lines[0].points, LINE)  # near to far, however drawn


@pytest.mark.parametrize("shaking", [False, True], ids=["steady", "shaking"])
@pytest.mark.parametrize("bend", [0.0, 80.0, -150.0])
def test_the_centre_line_of_an_area_is_the_line_it_was_drawn_around(bend, shaking):
    y = np.linspace(350, 130, 30)
    share = (350 - y) / 220
    line = np.stack([200 + 120 * share + bend * share * (1 - share) * 2, y], axis=1)
    found = centre_line(np.array(strip(line, 6.0, np.random.default_rng(0) if shaking else None)))
    rows = np.linspace(335, 145, 40)
    off = np.abs(sample_at_rows(found, rows) - sample_at_rows(line, rows))
    assert off.max() < 3  # at the bent end; NaN where the line is too short
    assert off.mean() < 0.6
    assert abs(found[:, 1].max() - 350) < 5
    assert abs(found[:, 1].min() - 130) < 3


def test_a_video_track_is_followed_between_its_frames_and_ends_where_it_leaves(tmp_path):
    shapes = "".join(
        f'<polyline frame="{frame}" outside="{outside}" points="{x},300;{x + 50},200"/>'
        for frame, outside, x in ((0, 0, 100), (4, 0, 140), (6, 1, 160))
    )
    xml = f'<annotations><track id="0" label="lane">{shapes}</track></annotations>'
    read = read_cvat(written(tmp_path / "video.xml", xml))
    near = {picture.name: picture.lines[0].points[0, 0] for picture in read.pictures if picture.lines}
    assert near["frame_000000"] == 100
    assert near["frame_000002"] == pytest.approx(120)
    assert near["frame_000005"] in (140, pytest.approx(150))
    assert "frame_000006" not in near


def test_document_types_are_refused(tmp_path):
    text = '<!DOCTYPE a [<!ENTITY b "c">]><annotations><image name="&b;"/></annotations>'
    with pytest.raises(ValueError, match=r"a\.xml: expected XML; it cannot be read: document types"):
        read_cvat(written(tmp_path / "a.xml", text))


def coco(**annotation) -> dict:
    image = {"id": 7, "file_name": "a.jpg", "height": 400, "width": 640}
    rows = [{"image_id": 7, "category_id": 1, **annotation}]
    return {"images": [image], "categories": [{"id": 1, "name": "solid"}], "annotations": rows}


def test_coco_areas_lines_keypoints_and_masks(tmp_path):
    line = np.stack([np.linspace(100, 200, 12), np.linspace(350, 150, 12)], axis=1)
    mask = np.zeros((400, 640), np.uint8)
    for x, y in line.round().astype(int):
        mask[y - 12 : y + 12, x - 4 : x + 5] = 1
    flat = mask.T.ravel()
    changes = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *changes, len(flat)]).tolist()
    forms = {
        "area": {"segmentation": [np.ravel(strip(line, 4.0)).tolist()]},
        "line": {"segmentation": [line.ravel().tolist()]},
        "points": {"keypoints": [value for x, y in line.tolist() for value in (x, y, 2)]},
        "mask": {"segmentation": {"size": [400, 640], "counts": runs}},
    }
    for name, annotation in forms.items():
        (picture,) = read_coco(written(tmp_path / f"{name}.json", coco(**annotation))).pictures
        assert (picture.name, picture.image_size) == ("a.jpg", (400, 640))
        assert [one.label for one in picture.lines] == ["solid"]
        rows = np.linspace(330, 170, 9)
        off = sample_at_rows(picture.lines[0].points, rows) - sample_at_rows(line, rows)
        assert np.abs(off).max() < 5, name
    (box,) = read_coco(written(tmp_path / "box.json", coco(bbox=[1, 2, 3, 4]))).pictures
    assert (box.lines, box.passed_over) == ((), ("solid (no line or area)",))


READERS = {"json": (read_labelme, read_coco), "xml": (read_cvat,)}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
KINDS = st.sampled_from(["line", "polygon", "box"])
SHAPE = st.fixed_dictionaries({}, optional={"label": ANYTHING, "points": ANYTHING, "shape_type": KINDS | ANYTHING})
LABELME = st.fixed_dictionaries(
    {"shapes": st.lists(SHAPE | ANYTHING, max_size=3) | ANYTHING, "version": ANYTHING},
    optional={"imagePath": ANYTHING, "imageHeight": ANYTHING, "imageWidth": ANYTHING, "imageData": ANYTHING},
)
KEYS = ("id", "image_id", "file_name", "segmentation", "keypoints", "category_id", "height")
ROW = st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, ANYTHING))
COCO = st.fixed_dictionaries(
    {"images": st.lists(ROW | ANYTHING, max_size=3), "annotations": st.lists(ROW | ANYTHING, max_size=3) | ANYTHING},
    optional={"categories": ANYTHING},
)
XML = st.text('<>/="abc annotations image polyline points track frame 0123456789,;&!', max_size=80)


def give_a_result_or_the_documented_error(path: Path) -> None:
    """Each sentence that a reader says names the file."""
    for reader in READERS[path.suffix[1:]]:
        try:
            told = getattr(reader(path), "faults", ())
        except ValueError as error:
            told = (str(error),)
        assert all(path.name in sentence for sentence in told)


@fuzz
@given(st.binary(max_size=60))
def test_any_bytes_give_a_result_or_the_documented_error(tmp_path, data):
    for suffix in READERS:
        path = tmp_path / f"a.{suffix}"
        path.write_bytes(data)
        give_a_result_or_the_documented_error(path)


@fuzz
@given(LABELME | COCO)
def test_any_json_gives_a_result_or_the_documented_error(tmp_path, content):
    give_a_result_or_the_documented_error(written(tmp_path / "a.json", content))


@fuzz
@given(XML, st.sampled_from(["", "<annotations>"]), st.sampled_from(["", "</annotations>"]))
def test_any_xml_gives_a_result_or_the_documented_error(tmp_path, text, start, end):
    give_a_result_or_the_documented_error(written(tmp_path / "a.xml", f"{start}{text}{end}"))


def video() -> str:
    keys = "".join(f'<polyline frame="{f}" outside="{f // 6}" points="{f},300;50,200"/>' for f in (0, 4, 6))
    meta = "<meta><start_frame>0</start_frame><stop_frame>8</stop_frame></meta>"
    return f'<annotations>{meta}<track id="0" label="lane">{keys}</track></annotations>'


def images() -> str:
    shapes = '<polyline label="lane_2" points="1,9;3,4"><attribute name="slot">2</attribute></polyline>'
    return f'<annotations><image name="a.jpg" width="64" height="36">{shapes}</image></annotations>'


def labelme() -> str:
    shape = {"label": "lane", "points": [[1, 30], [5, 30], [9, 3]], "shape_type": "polygon"}
    sizes = {"imageHeight": 36, "imageWidth": 64, "imageData": "AAAA"}
    return json.dumps({"version": "5", "imagePath": "a.jpg", "shapes": [shape], **sizes})


MASK = {"size": [4, 3], "counts": "054"}
VALID = {
    "json": [labelme(), json.dumps(coco(segmentation=MASK)), json.dumps(coco(keypoints=[1, 2, 2, 3, 9, 2]))],
    "xml": [images(), video()],
}


@fuzz
@given(st.data())
def test_damaged_files_give_a_result_or_the_documented_error(tmp_path, data):
    suffix = data.draw(st.sampled_from(sorted(VALID)))
    text = data.draw(st.sampled_from(VALID[suffix])).encode()
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 4))
        piece = data.draw(
            st.sampled_from([b"", b"9999999", b"-", b"null", b'"', b"1e308", b"\xff"]) | st.binary(max_size=3)
        )
        text = text[:place] + piece + text[place + cut :]
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(text)
    give_a_result_or_the_documented_error(path)


def test_the_end_of_a_wide_area_is_the_middle_of_its_end():
    line = centre_line(np.array([[100.0, 500.0], [160.0, 500.0], [305.0, 300.0], [300.0, 300.0]]))
    near, far = line[line[:, 1].argmax()], line[line[:, 1].argmin()]
    assert np.abs(near - [130, 500]).max() < 8
    assert np.abs(far - [302.5, 300]).max() < 1


def test_a_triangle_of_coco_is_an_area(tmp_path):
    read = read_coco(written(tmp_path / "a.json", coco(segmentation=[[100, 350, 140, 350, 300, 150]])))
    points = read.pictures[0].lines[0].points
    assert 110 < points[0, 0] < 130
    assert abs(points[-1] - [300, 150]).max() < 2
