"""What an earlier run has done: a finished drive, drawn pictures, and when they are not the same any more."""

import json
import os
import re
from pathlib import Path

import pytest
from factories import make_picture, write_picture

from lanenet_sad.inference.finished_pictures import finished_pictures
from lanenet_sad.inference.naming import names_below, refuse_label_files
from lanenet_sad.inference.resume import (
    Done,
    finished_source,
    identity_of,
    identity_of_file,
    note_end,
    note_settings,
    what_is_left,
)
from lanenet_sad.inference.run_summary import RunSummary, SourceSummary
from lanenet_sad.inference.sources import ImagesSource, StreamSource, UnreadableSource, VideoSource

SETTINGS = {"weights": "shipped", "exit": None, "input": {"name": "drive", "bytes": 7}}


def write_summary(path: Path, *, finished: bool = True, settings=SETTINGS) -> None:
    source = SourceSummary("drive", 9, 9, 8, 30, 0.9, 4, faults=("frame 3 is damaged",), finished=finished)
    RunSummary((source,), settings=settings).write(path)


def make_pictures(folder: Path, count: int = 3, *, sequence: bool = False) -> ImagesSource:
    for number in range(count):
        write_picture(folder / f"{number}.png", make_picture((8, 12), seed=number))
    return ImagesSource([str(folder / f"{number}.png") for number in range(count)], sequence=sequence)


def write_results(source: ImagesSource, out: Path, *, name: str = "lanes.jsonl") -> list[str]:
    lines = [json.dumps({"source": file, "lanes": [{"slot": 2}], "drawn": Path(file).name}) for file in source.files]
    for file in source.files:
        write_picture(out / Path(file).name, make_picture((8, 12)))
    note_settings(source, SETTINGS, out=out, suffix=name.removeprefix("lanes").removesuffix(".jsonl"))
    (out / name).write_text("".join(f"{line}\n" for line in lines))
    return lines


def test_a_finished_drive_is_told_with_its_counts_and_faults(tmp_path):
    write_summary(tmp_path / "drive.summary.json")
    assert finished_source(tmp_path / "drive.summary.json", SETTINGS) == Done(9, 30, ("frame 3 is damaged",))


def test_settings_are_compared_as_they_are_written(tmp_path):
    settings = {**SETTINGS, "calibration": Path("camera.yaml"), "size": (3, 4), "input": {"file": "a\udcff.mp4"}}
    write_summary(tmp_path / "drive.summary.json", settings=settings)
    assert finished_source(tmp_path / "drive.summary.json", settings) is not None


@pytest.mark.parametrize(
    "settings",
    [
        {**SETTINGS, "exit": 2},
        {**SETTINGS, "weights": {"file": "other.safetensors"}},
        {**SETTINGS, "input": {"name": "drive", "bytes": 8}},
        {**SETTINGS, "new": 1},
    ],
    ids=["setting", "weights", "input", "version"],
)
def test_what_was_done_otherwise_is_not_done(tmp_path, settings):
    write_summary(tmp_path / "drive.summary.json")
    assert finished_source(tmp_path / "drive.summary.json", settings) is None


@pytest.mark.parametrize("content", ["", "[]", "{", '{"sources": []}', '{"sources": [3], "settings": {}}', "\xff"])
def test_what_is_no_summary_says_nothing(tmp_path, content):
    path = tmp_path / "drive.summary.json"
    path.write_bytes(content.encode("latin-1"))
    assert finished_source(path, SETTINGS) is None


def test_an_interrupted_or_missing_drive_is_not_done(tmp_path):
    assert finished_source(tmp_path / "drive.summary.json", SETTINGS) is None
    write_summary(tmp_path / "drive.summary.json", finished=False)
    assert finished_source(tmp_path / "drive.summary.json", SETTINGS) is None


def test_a_file_is_known_by_name_size_and_time(tmp_path):
    file = tmp_path / "weights.safetensors"
    file.write_bytes(b"one")
    before = identity_of_file(file)
    assert identity_of_file(file) == before
    assert before["bytes"] == 3
    file.write_bytes(b"four")
    assert identity_of_file(file) != before
    assert identity_of_file(tmp_path / "nothing") == {}


@pytest.mark.parametrize("change", ["one more", "another picture", "another order"])
def test_a_sequence_is_known_by_all_its_pictures(tmp_path, change):
    source = make_pictures(tmp_path, sequence=True)
    before = identity_of(source)
    assert identity_of(make_source(source.files)) == before
    files = list(source.files)
    if change == "one more":
        write_picture(tmp_path / "3.png", make_picture((8, 12)))
        files.append(str(tmp_path / "3.png"))
    elif change == "another picture":
        write_picture(tmp_path / "1.png", make_picture((9, 12)))
    else:
        files.reverse()
    assert identity_of(make_source(files)) != before


def make_source(files) -> ImagesSource:
    return ImagesSource(list(files), sequence=True)


def test_a_stream_is_known_by_its_address_without_secrets():
    first, second = (
        identity_of(StreamSource(f"http://me:word@host/drive.ts?part={number}&token=a", lazy=True)) for number in "12"
    )
    assert first != second
    assert first["name"] == second["name"]
    assert "word" not in str(first)
    assert identity_of(UnreadableSource("gone", name="drive")) == {"name": "drive"}


def test_pictures_are_done_with_a_line_and_a_drawn_copy(tmp_path):
    source = make_pictures(tmp_path / "in")
    lines = write_results(source, tmp_path / "out")
    (tmp_path / "out/1.png").unlink()
    found = finished_pictures(source, [tmp_path / "out/lanes.jsonl"], tmp_path / "out")
    assert found == {source.files[0]: lines[0], source.files[2]: lines[2]}


def test_a_picture_that_has_changed_since_is_not_done(tmp_path):
    source = make_pictures(tmp_path / "in")
    write_results(source, tmp_path / "out")
    later = (tmp_path / "out/1.png").stat().st_mtime_ns + 10**9
    os.utime(source.files[1], ns=(later, later))
    found = finished_pictures(source, [tmp_path / "out/lanes.jsonl"], tmp_path / "out")
    assert set(found) == {source.files[0], source.files[2]}


def test_lines_that_make_no_sense_are_passed_over(tmp_path):
    source = make_pictures(tmp_path / "in", 2)
    first, second = write_results(source, tmp_path / "out")
    damaged = ["", "[1]", "{}", '{"source": {"a": 1}, "lanes": []}', f'{{"source": "{source.files[1]}"}}', second[:-3]]
    (tmp_path / "out/lanes.jsonl").write_text("\n".join([*damaged, first]))
    found = finished_pictures(source, [tmp_path / "out/lanes.jsonl"], tmp_path / "out")
    assert found == {source.files[0]: first}


def test_names_with_strange_line_ends_are_found(tmp_path):
    file = tmp_path / "in/a\u2028b\x85c.png"
    write_picture(tmp_path / "in/plain.png", make_picture((8, 12)))
    (tmp_path / "in/plain.png").rename(file)
    line = json.dumps({"source": str(file), "lanes": [], "drawn": file.name}, ensure_ascii=False)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "out/lanes.jsonl").write_text(f"{line}\n", encoding="utf-8")
    source = ImagesSource([str(file)])
    assert finished_pictures(source, [tmp_path / "out/lanes.jsonl"], tmp_path / "out") == {str(file): line}


@pytest.mark.parametrize("in_one_file", [False, True])
def test_what_is_left_of_pictures(tmp_path, in_one_file):
    source = make_pictures(tmp_path / "in")
    lines = write_results(source, tmp_path / "out", name="lanes.rank1.jsonl")  # of any rank
    (tmp_path / "out/2.png").unlink()
    left = what_is_left(source, SETTINGS, out=tmp_path / "out", in_one_file=in_one_file)
    if in_one_file:
        assert (left.source, left.known, left.done) == (source, (), Done(0, 0, ()))
    else:
        assert left.source is not None
        assert left.source.files == source.files[2:]
        assert (left.known, left.done) == (tuple(lines[:2]), Done(2, 2, ()))


@pytest.mark.parametrize("suffix", ["", ".rank1"])
def test_what_is_left_of_a_drive(tmp_path, suffix):
    source, out = make_pictures(tmp_path / "in", sequence=True), tmp_path / "out"

    def left():
        return what_is_left(source, SETTINGS, out=out, in_one_file=True, suffix=suffix)

    results = [*write_pictures_again(source, out), out / f"lanes{suffix}.jsonl"]
    note_settings(source, SETTINGS, out=out, suffix=suffix)
    results[-1].write_text("")
    assert left().source is source
    write_summary(out / f"{source.name}{suffix}.summary.json")
    assert left().source is None
    assert left().done.num_frames == 9
    for path in results:  # a result that is gone has to be made again
        path.rename(tmp_path / "kept")
        assert left().source is source
        (tmp_path / "kept").rename(path)
    assert left().source is None
    make_newer(results[1])  # as by another drive whose pictures have the same names
    assert left().source is source


def make_newer(path: Path) -> None:
    later = path.stat().st_mtime_ns + 10**9
    os.utime(path, ns=(later, later))


def write_pictures_again(source: ImagesSource, out: Path) -> list[Path]:
    """What stands for the drawn copies."""
    paths = [out / Path(file).name for file in source.files]
    out.mkdir()
    for path, file in zip(paths, source.files, strict=True):
        path.write_bytes(Path(file).read_bytes())
    return paths


PICTURES = {"weights": "shipped", "threshold": 0.3, "sequence": False, "format": "jsonl", "every": 1}


def do_pictures(source: ImagesSource, settings, out: Path) -> None:
    """What a run leaves behind."""
    lines = []
    for file, name in zip(source.files, names_below(source), strict=True):
        write_picture(out / name, make_picture((8, 12)))
        lines.append(json.dumps({"source": file, "lanes": [], "drawn": name, "of": str(settings)}))
    note_settings(source, settings, out=out)
    (out / "lanes.jsonl").write_text("".join(f"{line}\n" for line in lines))


def files_left(source: ImagesSource, settings, out: Path) -> tuple[str, ...]:
    left = what_is_left(source, settings, out=out, in_one_file=False)
    return left.source.files if left.source is not None else ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"threshold": 0.5}, r"other settings: threshold \(0\.3, now 0\.5\)\."),
        ({"format": "culane", "threshold": None}, r"threshold \(0\.3, now default\), format \(jsonl, now culane\)\."),
        ({"weights": {"file": "other.safetensors"}}, r"other settings: weights\."),
        ({"new": True}, r"other settings: new \(default, now on\)\."),
    ],
    ids=["one", "two", "weights", "version"],
)
def test_pictures_that_were_done_otherwise_are_done_again(tmp_path, change, told):
    source = make_pictures(tmp_path / "in")
    do_pictures(source, PICTURES, tmp_path / "out")
    other = {**PICTURES, "every": 2, "input": {"files": 7}}  # says which pictures, not how
    left = what_is_left(source, other, out=tmp_path / "out", in_one_file=False)
    assert (left.source.files, left.warnings) == ((), ())
    left = what_is_left(source, {**PICTURES, **change}, out=tmp_path / "out", in_one_file=False)
    assert left.source.files == source.files
    (sentence,) = left.warnings
    assert re.search(f"^images: pictures are done again, the earlier run had .*{told}$", sentence)


@pytest.mark.parametrize("in_one_file", [False, True])
def test_lines_of_other_settings_about_other_pictures_are_dropped_with_a_sentence(tmp_path, in_one_file):
    do_pictures(make_pictures(tmp_path / "others", 5), PICTURES, tmp_path / "out")
    source = make_pictures(tmp_path / "in")
    left = what_is_left(source, {**PICTURES, "threshold": 0.5}, out=tmp_path / "out", in_one_file=in_one_file)
    assert (left.source.files, left.known) == (source.files, ())
    (sentence,) = left.warnings  # none of these was done before, so none is done again
    assert sentence.startswith(
        f"images: lines about other pictures (5) are dropped from {tmp_path / 'out/lanes.jsonl'};"
    )


def test_lines_of_a_run_before_one_that_was_killed_do_not_count(tmp_path):
    source, out = make_pictures(tmp_path / "in"), tmp_path / "out"
    do_pictures(source, PICTURES, out)
    note_settings(source, {**PICTURES, "threshold": 0.5}, out=out)  # and then it was killed
    for threshold in (0.3, 0.5):
        left = what_is_left(source, {**PICTURES, "threshold": threshold}, out=out, in_one_file=False)
        assert left.source.files == source.files
        assert left.warnings[0].endswith("the earlier run had settings that are not known.")
    do_pictures(source, {**PICTURES, "threshold": 0.5}, out)
    assert files_left(source, {**PICTURES, "threshold": 0.5}, out) == ()


@pytest.mark.parametrize("label", ["culane", "labelme"])
def test_a_picture_without_its_label_file_is_done_again(tmp_path, label):
    source, settings = make_pictures(tmp_path / "in"), {**PICTURES, "format": label}
    do_pictures(source, settings, tmp_path / "out")
    for number in (0, 2):
        (tmp_path / f"out/{number}.{'lines.txt' if label == 'culane' else 'json'}").write_text("")
    assert files_left(source, settings, tmp_path / "out") == source.files[1:2]


@pytest.mark.parametrize("in_one_file", [False, True])
def test_lines_about_other_pictures_are_kept(tmp_path, in_one_file):
    whole, out = make_pictures(tmp_path / "in", 4), tmp_path / "out"
    do_pictures(whole, PICTURES, out)
    source = ImagesSource(whole.files[:1])
    left = what_is_left(source, PICTURES, out=out, in_one_file=in_one_file)
    known = whole.files[1:] if in_one_file else (*whole.files[1:], *source.files)
    assert [json.loads(line)["source"] for line in left.known] == list(known)
    assert left.warnings == ()
    left = what_is_left(whole.restricted(whole.files[:1]), PICTURES, out=out, in_one_file=False)
    assert len(left.known) == 1  # those of another rank are its own
    make_newer(out / "2.png")  # by a run that was killed
    left = what_is_left(source, PICTURES, out=out, in_one_file=in_one_file)
    assert [json.loads(line)["source"] for line in left.known] == [each for each in known if each != whole.files[2]]
    assert len(left.warnings) == 1


@pytest.mark.parametrize("spelling", ["absolute", "relative"])
def test_lines_about_pictures_that_are_written_over_are_dropped(tmp_path, monkeypatch, spelling):
    monkeypatch.chdir(tmp_path)
    for folder in ("in", "others"):
        make_pictures(tmp_path / folder / "cam", 2)
    out = tmp_path / "out"
    others = Path("others") if spelling == "relative" else tmp_path / "others"
    files = [str(others / "cam/0.png"), str(others / "cam/1.png")]
    do_pictures(ImagesSource(files, folder=str(others)), PICTURES, out)
    source = ImagesSource([str(tmp_path / "in/cam/0.png")], folder=str(tmp_path / "in"))  # out/cam/0.png
    left = what_is_left(source, PICTURES, out=out, in_one_file=False)
    assert len(left.known) == 1
    assert left.known[0].find("1.png") > 0
    assert left.warnings[0].startswith("images: lines about other pictures (1) are dropped")


def test_a_picture_is_done_whichever_way_its_path_is_written(tmp_path, monkeypatch):
    source, out = make_pictures(tmp_path / "in"), tmp_path / "out"
    do_pictures(source, PICTURES, out)
    monkeypatch.chdir(tmp_path / "in")
    relative = ImagesSource(["0.png", "../in/1.png", "./2.png"], folder=".")
    left = what_is_left(relative, PICTURES, out=out, in_one_file=False)
    assert (left.source.files, len(left.known)) == ((), 3)


def test_a_picture_whose_copy_goes_by_another_name_now_is_drawn_again(tmp_path):
    source, out = make_pictures(tmp_path / "in/cam"), tmp_path / "out"
    do_pictures(source, PICTURES, out)
    named = ImagesSource(source.files, folder=str(tmp_path / "in"))  # out/cam/0.png
    assert files_left(named, PICTURES, out) == source.files
    make_pictures(out / "cam")  # of whatever
    assert files_left(named, PICTURES, out) == source.files


def test_a_copy_that_another_run_has_written_over_is_drawn_again(tmp_path):
    source, out = make_pictures(tmp_path / "in"), tmp_path / "out"
    do_pictures(source, {**PICTURES, "format": "culane"}, out)
    for number in range(3):
        (out / f"{number}.lines.txt").write_text("")
    note_end(source, [out / "lanes.jsonl"], out=out)
    make_newer(out / "0.png")
    make_newer(out / "1.lines.txt")
    assert files_left(source, {**PICTURES, "format": "culane"}, out) == source.files[:2]


def test_the_end_of_a_run_dates_only_lanes_that_it_wrote(tmp_path):
    source, out = make_pictures(tmp_path / "in"), tmp_path / "out"
    do_pictures(source, PICTURES, out)
    os.utime(out / "lanes.jsonl", ns=(0, 0))
    note_end(source, [out / "0.png"], out=out)
    assert files_left(source, PICTURES, out) == source.files
    note_end(source, [out / "0.png", out / "lanes.jsonl"], out=out)
    assert files_left(source, PICTURES, out) == ()


@pytest.mark.parametrize("label", ["culane", "labelme"])
def test_a_picture_that_gets_no_label_is_told_again(tmp_path, label):
    for name in ("a.jpg", "a.png"):
        write_picture(tmp_path / "in" / name, make_picture((8, 12)))
    source = ImagesSource([str(tmp_path / "in/a.jpg"), str(tmp_path / "in/a.png")])
    out, settings = tmp_path / "out", {**PICTURES, "format": label}
    do_pictures(source, settings, out)
    label_file = out / ("a.lines.txt" if label == "culane" else "a.json")
    label_file.write_text("")
    note_end(source, [out / "lanes.jsonl"], out=out)
    left = what_is_left(source, settings, out=out, in_one_file=False)
    assert left.source.files == ()
    assert [fault.split(":")[0] for fault in left.done.faults] == ["a.png"]
    (out / "a.png").unlink()  # is left to do, and writes no label over the other one's
    left = what_is_left(source, settings, out=out, in_one_file=False)
    assert (left.source.files, left.done.faults) == (source.files[1:], ())
    if label == "labelme":
        refuse_label_files([left.source], out, "labelme")


def test_results_of_a_namesake_are_not_written_over(tmp_path):
    for name in ("drive.mp4", "b/drive.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    first, second = (VideoSource(str(tmp_path / name), lazy=True) for name in ("b/drive.mp4", "drive.mp4"))
    summary = SourceSummary(first.file, 9, 9, 8, 30, 0.9, 4)
    RunSummary((summary,), settings=SETTINGS).write(tmp_path / "drive.summary.json")
    assert what_is_left(first, SETTINGS, out=tmp_path, in_one_file=False).source is first
    with pytest.raises(ValueError, match=r"drive\.summary\.json is about .*/b/drive\.mp4, and the results of .*; move"):
        what_is_left(second, SETTINGS, out=tmp_path, in_one_file=False)
    Path(first.file).unlink()
    assert what_is_left(second, SETTINGS, out=tmp_path, in_one_file=False).source is second


def test_lanes_of_another_sequence_do_not_count(tmp_path):
    settings = {**PICTURES, "sequence": True}
    drives = [make_pictures(tmp_path / name, sequence=True) for name in ("one", "two")]
    for name, drive in zip(("one", "two"), drives, strict=True):
        drive.name = name
        do_pictures(drive, {**settings, "input": identity_of(drive)}, tmp_path / "out")
        write_summary(tmp_path / f"out/{name}.summary.json", settings={**settings, "input": identity_of(drive)})
    left = [
        what_is_left(drive, {**settings, "input": identity_of(drive)}, out=tmp_path / "out", in_one_file=False)
        for drive in drives
    ]
    assert [part.source for part in left] == [drives[0], None]
