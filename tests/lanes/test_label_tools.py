import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from factories import distance_to_polyline

from lanenet_sad.lanes.label_tools import write_cvat, write_labelme
from lanenet_sad.lanes.lane import Lane, LanePrediction


def bent_lane(slot: int | None, shift: float) -> Lane:
    """45 points from the bottom up along a bend."""
    rows = np.linspace(539, 240, 45)
    return Lane(np.stack([shift + 200 + (539 - rows) ** 2 / 300, rows], axis=1), slot, 0.875)


def make_prediction(name: str = "a/road.jpg") -> LanePrediction:
    lanes = (bent_lane(2, 0), bent_lane(None, 300), Lane(np.array([[5.0, 6.0]]), 4), Lane(np.zeros((0, 2)), 1))
    return LanePrediction(lanes, (540, 960), name)


def assert_follows(points: list[list[float]], lane: Lane) -> None:
    """Few points, all of them the lane's own, and the lines between them within 1 px of it."""
    assert 3 <= len(points) <= 12
    assert distance_to_polyline(np.array(points), lane.points).max() <= 0.01
    assert distance_to_polyline(lane.points, np.array(points)).max() <= 1.01


def shape_of(value: object) -> object:
    """The keys and types of a JSON value, whatever its numbers and the length of its lists."""
    if isinstance(value, dict):
        return {key: shape_of(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape_of(value[0])] if value else []
    return type(value).__name__


def test_labelme_files_hold_the_lanes_as_lines(tmp_path):
    write_labelme(tmp_path / "out/a/road.json", make_prediction(), tmp_path / "photos/a/road.jpg")
    content = json.loads((tmp_path / "out/a/road.json").read_text(encoding="utf-8"))
    assert (tmp_path / "out/a" / content["imagePath"]).resolve() == (tmp_path / "photos/a/road.jpg").resolve()
    assert not Path(content["imagePath"]).is_absolute()
    assert (content["imageHeight"], content["imageWidth"], content["imageData"]) == (540, 960, None)
    assert [shape["label"] for shape in content["shapes"]] == ["lane_2", "lane"]
    assert {shape["shape_type"] for shape in content["shapes"]} == {"linestrip"}
    assert {shape["description"] for shape in content["shapes"]} == {"confidence 0.88"}
    for shape, lane in zip(content["shapes"], make_prediction().lanes, strict=False):
        assert_follows(shape["points"], lane)


def test_labelme_opens_the_picture_through_a_linked_folder(tmp_path):
    (tmp_path / "deep/below").mkdir(parents=True)
    (tmp_path / "out").symlink_to(tmp_path / "deep/below", target_is_directory=True)
    write_labelme(tmp_path / "out/road.json", make_prediction(), tmp_path / "road.jpg")
    assert json.loads((tmp_path / "out/road.json").read_text())["imagePath"] == "../../road.jpg"


def test_a_name_in_any_letters_can_be_read_in_any_encoding(tmp_path):
    write_labelme(tmp_path / "straße.json", make_prediction(), tmp_path / "straße 道路.jpg")
    for encoding in ("utf-8", "cp1252", "gbk"):
        assert json.loads((tmp_path / "straße.json").read_text(encoding=encoding))["imagePath"] == "straße 道路.jpg"


def test_a_labelme_file_has_the_form_of_labelmes_own(shared, tmp_path):
    own = json.loads((shared / "data/own_labels_example/labelme/00000.json").read_text(encoding="utf-8"))
    write_labelme(tmp_path / "road.json", make_prediction(), tmp_path / "road.jpg")
    ours = json.loads((tmp_path / "road.json").read_text(encoding="utf-8"))
    assert shape_of(ours) == shape_of(own)
    assert list(ours) == list(own)
    assert ours["version"].split(".")[0] == own["version"].split(".")[0]


def test_a_cvat_file_holds_every_picture(tmp_path):
    empty = LanePrediction((), (720, 1280), "ünten & oben/<1>.jpg")
    write_cvat(tmp_path / "out/annotations.xml", [make_prediction(), empty])
    root = ET.parse(tmp_path / "out/annotations.xml").getroot()
    assert root.findtext("version") == "1.1"
    first, second = root.findall("image")
    assert first.attrib == {"id": "0", "name": "a/road.jpg", "width": "960", "height": "540"}
    assert second.attrib == {"id": "1", "name": "ünten & oben/<1>.jpg", "width": "1280", "height": "720"}
    assert len(second) == 0
    assert [line.findtext("attribute[@name='slot']") for line in first] == ["2", None]
    assert [line.findtext("attribute[@name='confidence']") for line in first] == ["0.88", "0.88"]
    for line, lane in zip(first, make_prediction().lanes, strict=False):
        assert_follows([[float(n) for n in pair.split(",")] for pair in line.attrib["points"].split(";")], lane)


def test_a_cvat_file_has_the_form_of_cvats_own(shared, tmp_path):
    write_cvat(tmp_path / "annotations.xml", [make_prediction()])
    ours, own = (
        ET.parse(path).getroot()
        for path in (tmp_path / "annotations.xml", shared / "data/own_labels_example/cvat/annotations.xml")
    )
    assert ours.tag == own.tag
    assert [each.tag for each in ours] == [each.tag for each in own][:2]
    for ours_at, own_at in ((ours[1], own[1]), (ours[1][0], own[1][0])):
        assert (ours_at.tag, list(ours_at.attrib)) == (own_at.tag, list(own_at.attrib))


WRITERS = {
    "labelme": lambda path: write_labelme(path, make_prediction(), Path("road.jpg")),
    "cvat": lambda path: write_cvat(path, [make_prediction()]),
}


@pytest.mark.parametrize("tool", WRITERS)
def test_a_folder_that_cannot_be_made_is_named(tmp_path, tool):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"Cannot write labels into the folder .*file"):
        WRITERS[tool](tmp_path / "file" / "labels")
