"""Every kind of fault planted into a small dataset and found; whatever a dataset holds, there is a report."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pytest
from benchmark_factories import write_bdd100k_root, write_curvelanes_root, write_llamas_root
from factories import make_picture, make_straight_lane, write_picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanenet_sad.check import check
from lanenet_sad.checking.findings import KINDS
from lanenet_sad.cli import main
from lanenet_sad.lanes.files import CULaneListEntry, read_culane_list, write_culane_lines, write_culane_list
from lanenet_sad.lanes.raster import draw_lanes

PROJECT = Path(__file__).parents[1]
SIZE = (64, 160)


def write_road(root: Path, name: str, seed: int, slots: tuple[int, ...] = (2, 3)) -> CULaneListEntry:
    """A picture with its lines and its mask, and its line for a list."""
    write_picture(root / f"{name}.jpg", make_picture(SIZE, seed=seed))
    lanes = [make_straight_lane((0.1, 0.3, 0.7, 0.9)[slot - 1] * SIZE[1], SIZE, slot) for slot in slots]
    write_culane_lines(root / f"{name}.lines.txt", lanes)
    write_picture(root / f"masks/{name}.png", draw_lanes(lanes, SIZE, line_width=3))
    flags = tuple(int(slot in slots) for slot in range(1, 5))
    return CULaneListEntry(f"/{name}.jpg", f"/masks/{name}.png", flags)


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("check") / "clean"
    train = [write_road(root, f"drive1/{n}", n, slots) for n, slots in enumerate([(1, 2, 3, 4), (2, 3), ()])]
    write_culane_list(root / "list/train_gt.txt", train)
    write_culane_list(root / "list/val_gt.txt", [write_road(root, f"drive2/{n}", 10 + n) for n in range(2)])
    return root


@pytest.fixture
def root(clean, tmp_path) -> Path:
    shutil.copytree(clean, tmp_path / "road")
    return tmp_path / "road"


@pytest.fixture
def tusimple(tmp_path) -> Path:
    root = tmp_path / "TuSimple"
    for number, name in enumerate(("label_data_0313.json", "label_data_0601.json", "label_data_0531.json")):
        write_picture(root / f"clips/{number}/20.jpg", make_picture((720, 1280), seed=number))
        write_label(root / name, raw_file=f"clips/{number}/20.jpg")
    return root


def write_label(path: Path, **changes: object) -> None:
    """One more line of a TuSimple file."""
    label = {"lanes": [[-2, 600, 500, 400], [650, 700, 800, 900]], "h_samples": [300, 400, 500, 600]} | changes
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(label) + "\n")


def found(root: Path, benchmark: str = "culane", *words: str, code: int | None = None) -> dict[str, dict]:
    """Findings by kind, from the JSON file; the exit code must be that of the worst of them, or `code`."""
    with TemporaryDirectory() as folder:
        return found_in(root, benchmark, words, code, Path(folder) / "check.json")


def found_in(root: Path, benchmark: str, words: tuple[str, ...], code: int | None, path: Path) -> dict[str, dict]:
    done = main(["check", str(root), benchmark, "--json", str(path), "--no-progress", "--num-workers", "0", *words])
    report = json.loads(path.read_text(encoding="utf-8"))
    findings = {finding["kind"]: finding for finding in report["findings"]}
    faults = any(finding["severity"] == "fault" for finding in findings.values())
    assert report["fit_to_train"] == (not faults)
    assert done == ((2 if faults else 0) if code is None else code)
    return findings


def change(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def cut(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def edit_mask(root: Path, edit) -> None:
    path = root / "masks/drive1/1.png"
    mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    write_picture(path, edit(mask))


def swap(mask):
    return np.where(mask == 2, 3, np.where(mask == 3, 2, mask)).astype(np.uint8)


def cross(mask):
    return np.concatenate([mask[:40], swap(mask[40:])])


def lines(root: Path, text: str) -> None:
    change(root / "drive1/1.lines.txt", text)


def add(root: Path, line: str, name: str = "train_gt") -> None:
    with (root / f"list/{name}.txt").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def put_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def unlabel(root: Path) -> None:
    """A picture of the second split without mask and lines."""
    for part in ("masks/drive2/1.png", "drive2/1.lines.txt"):
        (root / part).unlink()


def copy_to_val(root: Path) -> None:
    for part in ("drive1/1.jpg", "drive1/1.lines.txt"):
        shutil.copy(root / part, root / part.replace("drive1/1", "drive2/other"))
    add(root, "/drive2/other.jpg", "val_gt")


LEFT, RIGHT = "48 63 60 45 66 36\n", "112 63 100 45 94 36\n"
FIRST = "/drive1/0.jpg /masks/drive1/0.png 1 1 1 1"
CASES = {
    "list_missing": (lambda root: None, "list/night_gt.txt", None),
    "list_empty": (lambda root: change(root / "list/val_gt.txt", "\n\n"), "list/val_gt.txt", None),
    "list_line": (lambda root: add(root, "/drive1/0.jpg /m.png 1 0"), "list/train_gt.txt", 4),
    "image_missing": (lambda root: (root / "drive1/1.jpg").unlink(), "list/train_gt.txt", 2),
    "image_unreadable": (lambda root: cut(root / "drive1/1.jpg", 0.7), "list/train_gt.txt", 2),
    "label_missing": (unlabel, "list/val_gt.txt", 2),
    "label_unreadable": (lambda root: put_folder(root / "drive1/1.lines.txt"), "drive1/1.lines.txt", None),
    "no_number": (lambda root: lines(root, LEFT + "112 63 nan 45 94 36\n"), "drive1/1.lines.txt", 2),
    "unpaired_number": (lambda root: lines(root, LEFT + "112 63 100 45 94\n"), "drive1/1.lines.txt", 2),
    "lane_outside": (lambda root: lines(root, LEFT + "1120 630 1000 450\n"), "drive1/1.lines.txt", 2),
    "mask_unreadable": (lambda root: cut(root / "masks/drive1/1.png", 0.8), "list/train_gt.txt", 2),
    "mask_size": (lambda root: edit_mask(root, lambda mask: mask[::2, ::2]), "list/train_gt.txt", 2),
    "mask_values": (lambda root: edit_mask(root, lambda mask: mask * 3), "list/train_gt.txt", 2),
    "mask_order": (lambda root: edit_mask(root, swap), "list/train_gt.txt", 2),
    "flags_against_mask": (lambda root: edit_mask(root, lambda mask: mask * (mask == 2)), "list/train_gt.txt", 2),
    "split_overlap": (lambda root: add(root, FIRST, "val_gt"), "list/val_gt.txt", 3),
    "split_copies": (copy_to_val, "list/val_gt.txt", 3),
    "lines_missing": (lambda root: (root / "drive1/1.lines.txt").unlink(), "list/train_gt.txt", 2),
    "mask_missing": (lambda root: (root / "masks/drive1/1.png").unlink(), "list/train_gt.txt", 2),
    "single_point": (lambda root: lines(root, LEFT + "112 63\n"), "drive1/1.lines.txt", 2),
    "no_points": (lambda root: lines(root, LEFT + "\n" + RIGHT), "drive1/1.lines.txt", 2),
    "repeated_points": (lambda root: lines(root, LEFT + "112 63 100 45 100 45\n"), "drive1/1.lines.txt", 2),
    "turning_back": (lambda root: lines(root, LEFT + "112 63 94 36 100 45\n"), "drive1/1.lines.txt", 2),
    "points_outside": (lambda root: lines(root, LEFT + "300 63 100 45\n"), "drive1/1.lines.txt", 2),
    "flags_against_lines": (
        lambda root: ((root / "masks/drive1/1.png").unlink(), lines(root, LEFT)),
        "list/train_gt.txt",
        2,
    ),
    "lines_against_mask": (lambda root: lines(root, LEFT), "list/train_gt.txt", 2),
    "beyond_slots": (
        lambda root: (lines(root, "9 63 20 36\n22 63 30 36\n" + LEFT + RIGHT), add(root, "/drive1/1.jpg", "val_gt")),
        "list/val_gt.txt",
        3,
    ),
    "lanes_cross": (lambda root: edit_mask(root, cross), "list/train_gt.txt", 2),
    "side_of_car": (lambda root: edit_mask(root, lambda mask: np.roll(mask, 40, axis=1)), "list/train_gt.txt", 2),
    "listed_twice": (lambda root: add(root, FIRST), "list/train_gt.txt", 4),
    "copies": (lambda root: shutil.copy(root / "drive1/0.jpg", root / "drive1/1.jpg"), "list/train_gt.txt", 2),
    "no_lanes": (
        lambda root: change(root / "list/val_gt.txt", "/drive1/2.jpg /masks/drive1/2.png 0 0 0 0\n"),
        "split val",
        None,
    ),
}


def test_a_clean_dataset_has_no_findings(clean, capsys):
    assert found(clean, code=0) == {}
    assert found(clean, "culane", "--strict", "--decode", code=0) == {}
    said = capsys.readouterr().out
    assert "Fit to train with 4 lane slots" in said
    assert "0: 1  2: 3  4: 1" in said


@pytest.mark.parametrize("kind", CASES)
def test_a_planted_fault_is_found_where_it_is(root, kind, capsys):
    plant, file, line = CASES[kind]
    plant(root)
    words = ("--splits", "train", "night") if kind == "list_missing" else ()
    finding = found(root, "culane", *words)[kind]
    assert finding["count"] == len(finding["examples"]) == 1
    assert (finding["examples"][0]["file"], finding["examples"][0]["line"]) == (file, line)
    said = capsys.readouterr()
    assert f"{KINDS[kind].severity}: {kind}, 1 time. {KINDS[kind].explanation}" in said.out
    assert ("Not fit to train" in said.out) == ("is not fit to train" in said.err)


def test_every_kind_is_planted_somewhere():
    assert set(KINDS) - set(CASES) == {"image_size"}  # of TuSimple, below


def test_notes_count_with_strict_alone(root):
    CASES["single_point"][0](root)
    assert set(found(root, code=0)) == {"single_point", "lines_against_mask"}
    found(root, "culane", "--strict", code=2)


def test_all_bad_lines_of_a_list_are_named(root):
    add(root, "/drive1/0.jpg /m.png 1 0\n/../x.jpg\n/drive1/0.jpg /m.png 1 0 2 0")
    (root / "list/train_gt.txt").write_bytes((root / "list/train_gt.txt").read_bytes() + b"/\xff\xfe.jpg\n")
    examples = found(root)["list_line"]["examples"]
    assert [example["line"] for example in examples] == [4, 5, 6, 7]
    assert "4 existence flags" in examples[0]["detail"]
    assert "UTF-8" in examples[3]["detail"]


def test_a_bad_line_in_a_list_of_a_category(root):
    shutil.copy(root / "list/val_gt.txt", root / "list/test.txt")
    change(
        root / "list/test_split/test0_normal.txt" if (root / "list/test_split").mkdir() is None else root, "/a b 2\n"
    )
    assert found(root, "culane", "--splits", "test")["list_line"]["examples"][0]["file"].endswith("test0_normal.txt")


def test_examples_are_bounded_and_counts_are_not(root, capsys):
    for path in (root / "drive1").glob("*.jpg"):
        path.write_bytes(b"")
    finding = found(root, "culane", "--max-listed", "1")["image_unreadable"]
    assert (finding["count"], len(finding["examples"])) == (3, 1)
    assert "empty file" in finding["examples"][0]["detail"]
    assert "… and 2 more" in capsys.readouterr().out


def test_only_decoding_finds_a_picture_that_is_broken_inside(root):
    path = root / "masks/drive1/1.png"
    shutil.copy(path, root / "drive1/1.png")
    data = bytearray((root / "drive1/1.png").read_bytes())
    data[40:60] = bytes(20)
    (root / "drive1/1.png").write_bytes(data)
    change(root / "list/val_gt.txt", "/drive1/1.png /masks/drive1/1.png 0 1 1 0\n")
    assert "image_unreadable" not in found(root)
    assert "image_unreadable" in found(root, "culane", "--decode")


def test_the_report_has_what_the_splits_consist_of(root):
    assert main(["check", str(root), "culane", "--json", str(root / "c.json"), "--no-masks", "--no-progress"]) == 0
    report = json.loads((root / "c.json").read_text(encoding="utf-8"))
    assert {"benchmark", "root", "num_lanes", "num_images", "seconds", "splits", "not_looked_at", "findings"} < set(
        report
    )
    assert {"faults", "notes", "fit_to_train", "verdict"} < set(report)
    train = report["splits"]["train"]
    assert train["lists"] == ["list/train_gt.txt"]
    assert (train["images"], train["lanes"], train["empty_images"], train["empty_share"]) == (3, 6, 1, 0.333333)
    assert train["lanes_per_image"] == {"0": 1, "2": 1, "4": 1}
    assert train["slots"] == {"1": 1, "2": 2, "3": 2, "4": 1}
    assert train["image_sizes"] == {"64x160": 3}
    assert train["folders"] == {"drive1": 3}


def test_own_labels_with_another_number_of_slots_and_any_list(root):
    change(root / "list/train_gt.txt", "/drive1/0.jpg /none.png 0 1 1 1 1 0\n")
    (root / "list/val_gt.txt").unlink()
    (root / "list/train_gt.txt").rename(root / "list/monday.txt")
    result = check(root, "culane", progress=False)
    assert result.faults == ()
    assert result.inspection.layout.num_lanes == 6
    assert dict(result.inspection.statistics["monday"].slots) == {2: 1, 3: 1, 4: 1, 5: 1}
    assert "list_line" in found(root, "culane", "--num-lanes", "4")


def test_several_processes_find_the_same(root):
    many = [f"/drive1/{n % 3}.jpg /masks/drive1/{n % 3}.png {flags}" for n in range(300) for flags in ["0 1 1 0"]]
    change(root / "list/train_gt.txt", "\n".join(many))
    reports = [check(root, "culane", num_workers=number, progress=False).inspection for number in (1, 2)]
    assert reports[0].findings == reports[1].findings
    assert reports[0].statistics == reports[1].statistics
    assert reports[0].findings.counts["flags_against_mask"] == 200
    assert reports[0].findings.counts["listed_twice"] == 297
    assert multiprocessing.active_children() == []


def test_tusimple_clean(tusimple):
    assert found(tusimple, "tusimple", "--strict", code=0) == {}


def test_tusimple_with_faults(tusimple):
    path = tusimple / "label_data_0601.json"
    write_picture(tusimple / "clips/small/20.jpg", make_picture((360, 640)))
    write_label(path, raw_file="clips/small/20.jpg")
    write_label(path, raw_file="clips/0/20.jpg")
    write_label(tusimple / "label_data_0531.json", raw_file="clips/0/20.jpg", lanes=[[-2, 600, -2, -2], [-2] * 4])
    write_label(path, raw_file="clips/9/20.jpg", lanes=[[5000, 4000, 3000, 2000], [1, 2]])
    with path.open("a", encoding="utf-8") as file:
        file.write("{}\n\n")
    write_label(path, raw_file="clips/9/20.jpg", lanes=[[5000, 4000, 3000, 2000]], h_samples=[300, 400, 350, 350])
    found_here = found(tusimple, "tusimple")
    lines = {kind: [example["line"] for example in finding["examples"]] for kind, finding in found_here.items()}
    assert lines["image_size"] == [2]
    assert lines["list_line"] == [4, 5, 6]
    assert lines["image_missing"] == [7]
    assert lines["lane_outside"] == [7]
    assert lines["listed_twice"] == [3]
    assert lines["split_overlap"] == [2]
    assert {"single_point", "no_points", "repeated_points", "turning_back"} <= set(lines)


@pytest.mark.parametrize(
    ("benchmark", "write", "validation"),
    [
        ("bdd100k", write_bdd100k_root, "val"),
        ("llamas", write_llamas_root, "valid"),
        ("curvelanes", write_curvelanes_root, "valid"),
    ],
    ids=["bdd100k", "llamas", "curvelanes"],
)
def test_the_other_benchmarks(benchmark, write, validation, tmp_path):
    root = write(tmp_path / benchmark)
    assert not [one for one in found(root, benchmark).values() if one["severity"] == "fault"]
    write(root, split=validation)  # the same pictures under the same names, in another folder
    assert found(root, benchmark)["split_copies"]["count"] >= 2
    pictures = sorted(path for path in root.rglob("*.*g") if "/train/" in path.as_posix())
    cut(pictures[0], 0.5)
    pictures[1].unlink()
    broken = found(root, benchmark)
    assert broken["image_unreadable"]["count"] == broken["image_missing"]["count"] == 1
    assert broken["image_unreadable"]["examples"][0]["line"] == 1


def test_tusimple_without_one_of_its_files(tusimple):
    (tusimple / "label_data_0601.json").unlink()
    assert found(tusimple, "tusimple")["list_missing"]["examples"][0]["file"] == "label_data_0601.json"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nowhere", "culane"], "Dataset root nowhere: expected the dataset's folder"),
        ([".", "culane"], "expected lists such as list/train_gt.txt"),
        ([".", "tusimple"], "expected label files such as label_data_0313.json"),
        ([".", "kitti"], "Benchmark 'kitti': there is none of that name"),
        ([".", "tusimple", "--splits", "night"], "TuSimple has no split 'night'"),
        ([".", "culane", "--num-lanes", "0"], "expected 1 to 254 lane slots, got 0"),
    ],
)
def test_what_cannot_be_checked_is_one_sentence(words, expected, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["check", *words]) == 2
    said = capsys.readouterr()
    assert expected in said.err
    assert said.out == ""


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    listed=st.binary(max_size=60) | st.just(b"/a.jpg /a.png 1 0 0 0\n"),
    lines=st.binary(max_size=60) | st.text("0123456789.-+e \n", max_size=60).map(str.encode),
    image=st.binary(max_size=40) | st.binary(max_size=40).map(b"\xff\xd8\xff\xda".__add__),
    mask=st.binary(max_size=40) | st.binary(max_size=40).map(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".__add__),
)
def test_any_bytes_give_a_report(tmp_path, listed, lines, image, mask):
    (tmp_path / "list").mkdir(exist_ok=True)
    for name, data in {"list/train.txt": listed, "a.lines.txt": lines, "a.jpg": image, "a.png": mask}.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "label_data_0313.json").write_bytes(listed)
    findings = check(tmp_path, "culane", num_lanes=4, num_workers=0, progress=False).inspection.findings
    try:
        read_culane_list(tmp_path / "list/train.txt", 4)
    except ValueError:
        assert findings.counts["list_line"] or findings.counts["list_empty"]
    else:
        assert not findings.counts["list_line"]
        assert not findings.counts["list_empty"]
    assert check(tmp_path, "tusimple", splits=["train"], num_workers=0, progress=False).faults


def test_ctrl_c_ends_cleanly(root):
    change(root / "list/train_gt.txt", f"{FIRST}\n" * 100_000)
    words = [sys.executable, "-m", "lanenet_sad", "check", str(root), "culane", "--num-workers", "2"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    time.sleep(3)
    os.killpg(process.pid, signal.SIGINT)
    out, error = process.communicate(timeout=20)
    assert process.returncode == 130, error
    assert "interrupted" in error
    assert "Traceback" not in error
    assert out == ""


def test_the_check_does_without_torch():
    code = "import sys, lanenet_sad.check; assert 'torch' not in sys.modules and 'numba' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_sample_is_fit_to_train():
    assert found(PROJECT / "data/sample", "culane", "--strict", code=0) == {}


def test_real_roads_are_fit_to_train(shared):
    inspection = check(shared / "data/roads", "culane", progress=False).inspection
    assert inspection.num_images == 1124
    assert inspection.findings.of("fault") == []
    # Looked at by eye: these two masks have crossing lanes; the others have lines beyond the four slots.
    crossing = [example.detail.split(".jpg")[0] for example in inspection.findings.examples["lanes_cross"]]
    assert [name[-8:] for name in crossing] == ["0066_jpg", "0179_jpg"]
