import csv
import html
import json
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from factories import make_picture, write_picture

from lanenet_sad.lanes.lane import Lane, LanePrediction
from lanenet_sad.metrics.culane import CULaneMetric
from lanenet_sad.metrics.tusimple import TuSimpleScore
from lanenet_sad.visualization import error_frames
from lanenet_sad.visualization.error_report import ErrorReport, command_of

SIZE = (120, 200)
NASTY = "</script><script>alert(1)</script>\"'&<img src=x onerror=alert(2)>\u2028.jpg"


def upright(x: float, top: float = 0, bottom: float = 119, slot: int | None = None) -> Lane:
    """A lane straight up the picture."""
    return Lane(np.array([[x, bottom], [x, top]], dtype=float), slot)


def lanes(*each: Lane, name: str = "/a/0.jpg", size: tuple[int, int] = SIZE) -> LanePrediction:
    return LanePrediction(each, size, name)


def make_report(
    folder: Path, image_path: Callable[[str], Path | None] = lambda name: None, **options: object
) -> ErrorReport:
    settings = {"title": "Errors", "image_path": image_path, "lane_width": 10, "canvas_width": SIZE[1], **options}
    return ErrorReport(folder, **settings)


def write(report: ErrorReport, command: str | None = None) -> tuple[str, dict]:
    """The page and its figures."""
    page = report.write(CULaneMetric().compute(), command)
    return page.read_text(encoding="utf-8"), json.loads((page.parent / "figures.json").read_text())


def rows_of(script: Path) -> list:
    """What a script file beside the page hands to it."""
    text = script.read_text(encoding="ascii")
    inside = re.fullmatch(r"errorPage\.\w+\((?:\d+, )?\[\n(.*?),?\n?\]\);\n", text, flags=re.DOTALL)
    assert inside, text
    return json.loads(f"[{inside[1]}]")


def test_counts_by_category_by_iou_and_by_number_of_lanes(tmp_path):
    report = make_report(tmp_path)
    # 10 px wide lanes that are 2 px apart: 9 (or 11 with both edges) columns each, so that IoU is about 0.7.
    report.add(lanes(upright(50), upright(102), upright(150)), lanes(upright(50), upright(100)), category="day")
    report.add(lanes(), lanes(upright(50)), category="night")
    report.add(lanes(upright(20)), lanes())
    _, figures = write(report)
    total = figures["totals"]
    assert [total[key] for key in ("num_images", "num_labels", "num_predictions")] == [3, 3, 4]
    assert [total[key] for key in ("tp", "fp", "fn")] == [2, 2, 1]
    assert (total["precision"], total["recall"]) == (0.5, pytest.approx(2 / 3))
    day, night = figures["categories"]["day"], figures["categories"]["night"]
    assert [[each[key] for key in ("num_images", "tp", "fp", "fn")] for each in (day, night)] == [
        [1, 2, 1, 0],
        [1, 0, 0, 1],
    ]
    found = {each["iou_threshold"]: each["tp"] for each in day["by_iou"]}
    assert (found[0.5], found[0.6], found[0.8], found[0.95]) == (2, 2, 1, 1)
    assert len(found) == 10
    assert day["mean_f1"] == pytest.approx(np.mean([each["f1"] for each in day["by_iou"]]))
    assert night["mean_f1"] is None  # precision of nothing predicted is undefined
    by_number = {each["num_lanes"]: each for each in figures["by_num_lanes"]}
    assert [by_number[0][key] for key in ("num_images", "num_predictions", "more", "fp")] == [1, 1, 1, 1]
    assert [by_number[1][key] for key in ("num_images", "fewer", "same_number", "fn")] == [1, 1, 0, 1]
    assert [by_number[2][key] for key in ("tp", "fp", "fn", "more")] == [2, 1, 0, 1]
    assert figures["lane_numbers"] == [[0, 1, 1], [1, 0, 1], [2, 3, 1]]


def test_distances_by_row_are_those_one_would_measure(tmp_path):
    report = make_report(tmp_path, canvas_width=2 * SIZE[1], lane_width=60)
    # Right of its label by 3 px below the middle of the picture and by 1 px above, told in a picture twice as wide.
    rows = np.arange(119.0, -1, -1)
    bent = Lane(np.stack([np.where(rows >= 60, 53.0, 51.0), rows], axis=1))
    report.add(lanes(bent), lanes(upright(50, slot=2)))
    report.add(lanes(upright(51)), lanes(upright(50, slot=3)))
    rows = write(report)[1]["rows"]
    assert rows["image_height"] == 120
    assert set(rows["slots"]) == {"2", "3"}
    near, far = rows["slots"]["2"]["bands"][15], rows["slots"]["2"]["bands"][4]
    assert [far[key] for key in ("mean", "bias", "median", "p90")] == [2, 2, 2, 2]
    assert [near[key] for key in ("mean", "bias", "median", "p90")] == [6, 6, 6, 6]
    assert near["num_rows"] == rows["rows_in_band"]
    assert [rows["slots"]["3"]["all"][key] for key in ("bias", "median")] == [2, 2]
    assert rows["bands"][15]["num_rows"] == 2 * rows["rows_in_band"]


def test_median_and_ninety_per_cent_are_nearest_ranks(tmp_path):
    report = make_report(tmp_path, lane_width=60)
    for offset in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10):
        report.add(lanes(upright(100 - offset)), lanes(upright(100)))
    band = write(report)[1]["rows"]["bands"][10]
    assert (band["mean"], band["bias"], band["median"], band["p90"]) == (5.5, -5.5, 5.0, 9.0)


def test_rows_where_lanes_are_missing(tmp_path):
    report = make_report(tmp_path)
    # The prediction ends a quarter of the picture before its label, at the far end, and reaches the bottom.
    report.add(lanes(upright(50, top=30)), lanes(upright(50), upright(150, top=60)))
    # And the other way round at the near end.
    report.add(lanes(upright(50)), lanes(upright(50, bottom=89)))
    figures = write(report)[1]
    assert (figures["totals"]["tp"], figures["totals"]["fn"]) == (2, 1)
    bands, all_rows = figures["rows"]["bands"], figures["rows"]["rows_in_band"]
    names = ("found", "too_short", "missed", "too_long")
    top, middle, bottom = ([bands[n]["rows"][name] for name in names] for n in (0, 12, 19))
    assert top == [all_rows, all_rows, 0, 0]
    assert middle == [2 * all_rows, 0, all_rows, 0]
    assert bottom == [all_rows, 0, all_rows, all_rows]
    ends = figures["rows"]["ends"]
    assert [ends["far"][key] for key in ("too_short", "as_label", "too_long")] == [1, 1, 0]
    assert [ends["near"][key] for key in ("too_short", "as_label", "too_long")] == [0, 1, 1]
    assert ends["far"]["mean_gap"] == pytest.approx(15, abs=1)
    assert ends["near"]["mean_gap"] == pytest.approx(-15, abs=1)


def test_lanes_outside_the_picture_are_not_measured(tmp_path):
    report = make_report(tmp_path)
    outside = Lane(np.array([[-60.0, 119], [100, 0]]))
    report.add(lanes(outside), lanes(outside))
    rows = write(report)[1]["rows"]
    assert rows["bands"][19]["num_rows"] == 0
    assert rows["bands"][0]["num_rows"] == rows["rows_in_band"]


def test_the_worst_frames_come_first_and_only_so_many(tmp_path):
    report = make_report(tmp_path, num_worst=3)
    two = (upright(50), upright(150))
    report.add(lanes(*two), lanes(*two, name="/good.jpg"))
    report.add(lanes(upright(58)), lanes(upright(50), name="/iou.jpg"))  # wrong and missed, but some IoU
    report.add(lanes(upright(150)), lanes(upright(50), name="/none.jpg"))
    report.add(lanes(), lanes(upright(50), name="/one.jpg"))
    report.add(lanes(upright(100)), lanes(*two, name="/three.jpg"))
    page, _ = write(report)
    shown = re.findall(r"<figcaption><a [^>]*>([^<]*)</a>", page)
    assert shown == ["/three.jpg", "/none.jpg", "/iou.jpg"]
    three = page.split("</figure>")[0]
    assert three.count('class="fp"') == 2  # in the legend and in the picture
    assert three.count('class="fn"') == 3
    assert "1 wrong" in three
    assert "2 missed" in three


def test_every_frame_stands_in_files_of_few_frames(tmp_path, monkeypatch):
    monkeypatch.setattr(error_frames, "CHUNK_FRAMES", 2)
    picture = tmp_path / "pictures/r ä#1.jpg"
    report = make_report(tmp_path / "report", image_path=lambda name: picture if name == "/b" else None)
    long = Lane(np.stack([np.linspace(20, 60, 100), np.linspace(119, 0, 100)], axis=1), slot=2)
    report.add(lanes(long), lanes(long, upright(150), name="/a"), category="day")
    report.add(lanes(), lanes(name="/b"), category="night")
    report.add(lanes(upright(9)), lanes(name="/a"))
    write(report)
    folder = tmp_path / "report/frames"
    assert sorted(path.name for path in folder.iterdir()) == ["000.js", "001.js", "index.js"]
    assert rows_of(folder / "index.js") == [["/a", 0, 1, 0, 1, 1.0], ["/b", 1, 0, 0, 0, 0.0], ["/a", -1, 0, 1, 0, 0.0]]
    first, second = rows_of(folder / "000.js")
    assert first[:3] == [None, 200, 120]
    assert [label[:4] for label in first[3]] == [[2, 1, 0, 1.0], [0, 0, -1, 0.0]]
    assert first[4][0] == [2, 1, 1.0, [20.0, 119.0, 60.0, 0.0]]  # straight: two points of a hundred are enough
    assert second[0] == "../pictures/r%20%C3%A4%231.jpg"
    assert len(rows_of(folder / "001.js")) == 1
    with (tmp_path / "report/frames.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["name"] for row in table] == ["/a", "/b", "/a"]
    assert [table[0][key] for key in ("category", "labels", "predictions", "tp", "fp", "fn")] == [
        "day",
        "2",
        "1",
        "1",
        "0",
        "1",
    ]


def test_what_is_kept_does_not_grow_with_the_images(tmp_path, monkeypatch):
    monkeypatch.setattr(error_frames, "CHUNK_FRAMES", 5)
    report = make_report(tmp_path, num_worst=2)
    for number in range(23):
        report.add(lanes(upright(50)), lanes(upright(150), name=f"/{number}"))
    chunk, index = report._frames._lines
    assert len(chunk) == len(index) == 3  # the others are on disk already
    assert len(report._worst._heap) == 2
    assert not (tmp_path / "frames").exists()
    write(report)
    assert len(rows_of(tmp_path / "frames/index.js")) == 23
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_texts_from_data_never_become_html(tmp_path):
    report = ErrorReport(tmp_path, title=NASTY, image_path=lambda name: None)
    report.add(lanes(upright(20)), lanes(name=NASTY), category=NASTY)
    page, figures = write(report, f"lanenet-sad {NASTY}")
    assert page.count("<script") == 2
    assert page.count("</script>") == 2
    assert "onerror=alert" not in page.replace(html.escape(NASTY), "").replace("onerror=alert(2)\\u003e", "")
    assert "<img" not in page.split('<script type="application/json"')[0]
    about = re.search(r'<script type="application/json" id="about">(.*?)</script>', page)
    assert about
    assert json.loads(about[1])["categories"] == [NASTY]
    assert figures["title"] == NASTY
    assert rows_of(tmp_path / "frames/index.js")[0][0] == NASTY
    assert "http" not in page.replace('"http://www.w3.org/2000/svg"', "")  # nothing comes from the network


def test_pictures_are_embedded_small_and_missing_ones_are_grey(tmp_path):
    write_picture(tmp_path / "there.jpg", make_picture((600, 1000)))
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    report = make_report(tmp_path / "report", image_path=lambda name: tmp_path / name)
    for name in ("there.jpg", "broken.jpg", "missing.jpg", "nul\0.jpg"):
        report.add(lanes(), lanes(upright(50), name=name, size=(120, 200)))
    page, _ = write(report)
    figures = {
        re.search(r"<figcaption><a [^>]*>([^<]*)", part)[1]: part
        for part in re.findall(r"<figure><svg class=\"frame\".*?</figure>", page)
    }
    assert 'href="data:image/jpeg;base64,' in figures["there.jpg"]
    assert (
        'viewBox="0 0 1000 600"' in figures["there.jpg"]
    )  # the picture's own pixels, whatever the label took them for
    for name in ("broken.jpg", "missing.jpg"):
        assert "<image" not in figures[name]
        assert 'class="ground"' in figures[name]
        assert 'viewBox="0 0 200 120"' in figures[name]


def test_no_image_at_all(tmp_path):
    page, figures = write(make_report(tmp_path))
    assert figures["totals"]["num_images"] == 0
    assert "No frame has a wrong or a missed lane" in page
    assert rows_of(tmp_path / "frames/index.js") == []


def test_nothing_predicted(tmp_path):
    report = make_report(tmp_path)
    report.add(lanes(), lanes(upright(50), upright(90)), category="day")
    page, figures = write(report)
    assert figures["totals"]["fn"] == 2
    assert figures["totals"]["f1"] is None
    assert "No label lane is found" in page


def test_any_points_are_reported(tmp_path):
    report = make_report(tmp_path)
    odd = [[], [[1, 2]], [[np.nan, 1], [3, np.inf]], [[1e30, 5], [2, 1e300]], [[5, 5]] * 3, [[0, 0], [9, 0], [0, 0]]]
    found = lanes(*(Lane(np.array(points, dtype=float)) for points in odd))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report.add(found, found)
    page, figures = write(report)
    assert "nan" not in page.split("<main>")[1].split("<script")[0].lower()
    assert figures["totals"]["num_labels"] == len(odd)
    (frame,) = rows_of(tmp_path / "frames/000.js")
    assert max(abs(value) for lane in frame[3] for value in lane[4]) <= 1e6


def test_a_comparison_that_is_given_counts_as_it_is(tmp_path):
    strict = CULaneMetric(lane_width=2, canvas_width=SIZE[1])
    found, label = lanes(upright(54)), lanes(upright(50))
    given, own = make_report(tmp_path / "given"), make_report(tmp_path / "own")
    given.add(found, label, comparison=strict.compare(found, label))
    own.add(found, label)
    given_page, given_figures = write(given)
    own_page, own_figures = write(own)
    assert (given_figures["totals"]["tp"], own_figures["totals"]["tp"]) == (0, 0)
    assert given_figures["by_num_lanes"][0]["fp"] == 1
    assert rows_of(tmp_path / "given/frames/000.js")[0][3][0][3] == 0
    assert rows_of(tmp_path / "own/frames/000.js")[0][3][0][3] > 0.3
    assert "as the official score has paired them" in given_page
    assert "comparing lanes as the CULane evaluator does, drawn 10 px wide" in own_page


def test_a_benchmark_without_iou_says_so(tmp_path):
    report = make_report(tmp_path)
    report.add(lanes(upright(50)), lanes(upright(50)))
    page = report.write(TuSimpleScore(0.9, 0.1, 0.2, 1)).read_text(encoding="utf-8")
    assert "TuSimple, 1 images" in page
    assert "come from comparing lanes" in page
    assert json.loads((tmp_path / "figures.json").read_text())["score"]["accuracy"] == 0.9


def test_an_earlier_report_is_replaced_and_nothing_else(tmp_path):
    report = make_report(tmp_path)
    report.add(lanes(), lanes(upright(50), name="/old"))
    write(report)
    unfinished = make_report(tmp_path)
    unfinished.add(lanes(), lanes(upright(50), name="/lost"))
    del unfinished
    assert rows_of(tmp_path / "frames/index.js")[0][0] == "/old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figures.json", "frames", "frames.csv", "index.html"]
    again = make_report(tmp_path)
    again.add(lanes(), lanes(name="/new"))
    write(again)
    assert rows_of(tmp_path / "frames/index.js")[0][0] == "/new"
    (tmp_path / "frames/holiday.jpg").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"holiday\.jpg is there and no part of an error report"):
        make_report(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot make the folder .*report"):
        make_report(tmp_path / "file" / "report")


def test_the_command_has_what_is_not_default():
    def verb(benchmark: str, *, root: Path, slots: list[int] | None = None, show: bool = True, all_of: bool = False):
        """Nothing."""

    given = {"benchmark": "culane", "root": Path("my roads"), "slots": [2, 3], "show": False, "all_of": True}
    assert command_of(verb, given) == "lanenet-sad verb culane --root 'my roads' --slots 2 3 --no-show --all-of"


def test_torch_is_not_needed():
    code = "import sys, lanenet_sad.visualization.error_report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_a_browser_shows_the_frame_that_the_address_names(tmp_path):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium here")
    report = make_report(tmp_path / "report")
    report.add(lanes(upright(50)), lanes(upright(50), name="/first.jpg"))
    report.add(lanes(upright(50)), lanes(upright(150), upright(51), name=NASTY), category=NASTY)
    report.write(CULaneMetric().compute())
    address = (tmp_path / "report/index.html").as_uri() + f"#frame={quote(NASTY, safe='')}"
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    folder = f"--user-data-dir={tmp_path / 'browser'}"
    command = [browser, *quiet, folder, "--virtual-time-budget=4000", "--dump-dom", address]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert re.search(r'<h3 id="frame-name">(.*?)</h3>', shown, flags=re.DOTALL)[1] == html.escape(NASTY, quote=False)
    assert shown.count("<li><button") == 2
    canvas = shown.split('id="canvas"')[1].split("</svg>")[0]
    assert canvas.count('class="tp"') == canvas.count('class="fn"') == canvas.count('class="label"') == 1
    assert canvas.count('class="fp"') == 0
