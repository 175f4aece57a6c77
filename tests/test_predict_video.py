"""`predict` on drives: what is written, what is selected, what goes wrong, many sources, resumption and ranks."""

import csv
import json
import signal
import socket
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import jsonschema
import numpy as np
import pytest
from factories import make_picture, write_picture, write_video
from prediction_factories import find, read_lines

from lanenet_sad.cli import main
from lanenet_sad.inference.lanes_jsonl import lanes_schema
from lanenet_sad.inference.sources import open_source

pytestmark = pytest.mark.usefixtures("unrefined")


def words(source, out: Path, weights: Path, *more: str) -> list[str]:
    fixed = ["--weights", str(weights), "--device", "cpu", "--no-progress"]
    return ["predict", str(source), "--out", str(out), *fixed, *more]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def frames_of(path: Path) -> int:
    with open_source(str(path)) as source:
        count = sum(1 for _ in source)
        assert source.faults == []
        return count


SHARED = "lanenet-sad"  # in the name of the memory that the network's process has too
ENDINGS = ("mp4", "lanes.jsonl", "metrics.csv", "strip.jpg", "summary.json")


def test_a_drive_gives_five_files_that_agree(tmp_path, weights):
    write_video(tmp_path / "drive.mp4", num_frames=8)
    summary = find(tmp_path / "drive.mp4", tmp_path / "out", weights, birds_eye=True, ldw=True)
    out = tmp_path / "out"
    assert names(out) == {f"drive.{ending}" for ending in ENDINGS}
    assert set(summary.paths) == set(out.iterdir())
    lines = read_lines(out / "drive.lanes.jsonl")
    validator = jsonschema.Draft202012Validator(lanes_schema())
    for line in lines:
        validator.validate(line)
        assert all("track_id" in lane for lane in line["lanes"])
        assert "road" in line
    with (out / "drive.metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    (told,) = json.loads((out / "drive.summary.json").read_text())["sources"]
    assert frames_of(out / "drive.mp4") == len(lines) == len(rows) == told["frames"] == summary.num_frames == 8
    assert sum(len(line["lanes"]) for line in lines) == told["lanes"] == summary.num_lanes
    assert told["finished"] is True
    assert {"decode", "preprocess", "network", "lanes", "draw", "encode", "write"} == set(told["stages"])


def test_without_tracking_every_frame_stands_by_itself(tmp_path, weights):
    write_video(tmp_path / "drive.mp4", num_frames=4)
    find(tmp_path / "drive.mp4", tmp_path / "out", weights, tracking=False)
    lines = read_lines(tmp_path / "out/drive.lanes.jsonl")
    assert all(line["lanes"] for line in lines)
    for line in lines:
        assert "road" not in line
        assert not any("track_id" in lane for lane in line["lanes"])


def test_drawing_of_measures_needs_tracking(tmp_path, weights):
    write_video(tmp_path / "drive.mp4", num_frames=2)
    for option in ("ldw", "birds_eye"):
        with pytest.raises(ValueError, match="leave --no-tracking out"):
            find(tmp_path / "drive.mp4", tmp_path / "out", weights, tracking=False, **{option: True})


def test_a_part_of_a_drive_at_a_smaller_size(tmp_path, weights):
    write_video(tmp_path / "drive.mp4", num_frames=20, size=(96, 160))  # 25 frames a second
    find(tmp_path / "drive.mp4", tmp_path / "out", weights, start=0.2, duration=0.4, every=2, max_height=48)
    lines = read_lines(tmp_path / "out/drive.lanes.jsonl")
    assert [line["frame"] for line in lines] == [5, 7, 9, 11, 13]
    assert [line["time"] for line in lines] == pytest.approx([0.2, 0.28, 0.36, 0.44, 0.52])
    assert {(line["height"], line["width"]) for line in lines} == {(48, 80)}
    with av.open(str(tmp_path / "out/drive.mp4")) as video:
        assert (video.streams.video[0].height, video.streams.video[0].width) == (48, 80)
        times = [float(frame.pts * frame.time_base) for frame in video.decode(video=0)]
    assert np.diff(times) == pytest.approx([0.08] * 4, abs=1e-4)


def test_a_sequence_is_a_drive_and_pictures_are_not(tmp_path, weights):
    for number in range(3):
        write_picture(tmp_path / f"photos/{number}.jpg", make_picture((64, 160)))
    find(tmp_path / "photos", tmp_path / "pictures", weights)
    find(tmp_path / "photos", tmp_path / "drive", weights, sequence=True)
    assert names(tmp_path / "pictures") == {"0.jpg", "1.jpg", "2.jpg", "lanes.jsonl", "lanes.settings.yaml"}
    assert names(tmp_path / "drive") - names(tmp_path / "pictures") == {
        "photos.metrics.csv",
        "photos.strip.jpg",
        "photos.summary.json",
    }


def bad_files(folder: Path) -> None:
    write_video(folder / "a.mp4", num_frames=4)
    (folder / "b.mp4").write_bytes(b"")
    (folder / "c.mp4").write_text("this is no video")
    whole = write_video(folder / "d.mp4", num_frames=40).read_bytes()
    (folder / "d.mp4").write_bytes(whole[: len(whole) // 2])
    write_video(folder / "e.mp4", num_frames=5)


def test_bad_files_do_not_stop_the_others(tmp_path, weights, capsys):
    bad_files(tmp_path / "in")
    code = main(words(tmp_path / "in", tmp_path / "out", weights))
    error = capsys.readouterr().err
    assert code == 2
    assert "Traceback" not in error
    for name in ("b.mp4", "c.mp4", "d.mp4"):
        assert str(tmp_path / "in" / name) in error
    assert frames_of(tmp_path / "out/a.mp4") == 4
    assert frames_of(tmp_path / "out/e.mp4") == 5


def test_a_list_goes_on_where_it_stopped(tmp_path, weights, monkeypatch, capsys):
    bad_files(tmp_path / "in")
    (tmp_path / "videos.txt").write_text("# mine\nin/a.mp4\nin/b.mp4\n\nin/e.mp4\n")
    monkeypatch.chdir(tmp_path)
    first = find("videos.txt", tmp_path / "out", weights)
    assert first.num_frames == 9
    assert any("b.mp4" in fault for fault in first.faults)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    again = find("videos.txt", tmp_path / "out", weights, resume=True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before
    assert (again.num_frames, again.num_lanes) == (9, first.num_lanes)
    assert any("b.mp4" in fault for fault in again.faults)  # still wrong, and the exit code has to say so
    assert "2 sources or pictures were done before" in capsys.readouterr().out


@pytest.mark.parametrize("change", ["setting", "file", "interrupted"])
def test_what_is_not_the_same_any_more_is_done_again(tmp_path, weights, change):
    video = write_video(tmp_path / "drive.mp4", num_frames=4)
    find(video, tmp_path / "out", weights)
    options = {}
    if change == "setting":
        options = {"every": 2}
    elif change == "file":
        write_video(video, num_frames=3)
    else:
        path = tmp_path / "out/drive.summary.json"
        content = json.loads(path.read_text())
        content["sources"][0]["finished"] = False
        path.write_text(json.dumps(content))
    before = (tmp_path / "out/drive.mp4").stat().st_mtime_ns
    find(video, tmp_path / "out", weights, resume=True, **options)
    assert (tmp_path / "out/drive.mp4").stat().st_mtime_ns > before


def test_pictures_that_are_drawn_are_not_drawn_again(tmp_path, weights):
    for number in range(4):
        write_picture(tmp_path / f"photos/{number}.jpg", make_picture((64, 160), seed=number))
    find(tmp_path / "photos", tmp_path / "out", weights)
    whole = read_lines(tmp_path / "out/lanes.jsonl")
    (tmp_path / "out/2.jpg").unlink()  # as if the run had stopped before it
    before = (tmp_path / "out/0.jpg").stat().st_mtime_ns
    summary = find(tmp_path / "photos", tmp_path / "out", weights, resume=True)
    assert summary.num_frames == 4  # in both runs
    assert (tmp_path / "out/0.jpg").stat().st_mtime_ns == before
    assert (tmp_path / "out/2.jpg").is_file()
    lines = read_lines(tmp_path / "out/lanes.jsonl")
    assert sorted(lines, key=lambda line: line["source"]) == whole


def test_ranks_do_everything_once(tmp_path, weights, monkeypatch):
    for name in "abc":
        write_video(tmp_path / f"in/{name}.mp4", num_frames=3)
    for number in range(3):
        write_picture(tmp_path / f"in/{number}.jpg", make_picture((64, 160)))
    monkeypatch.setenv("WORLD_SIZE", "2")
    written = []
    for rank in "01":
        monkeypatch.setenv("RANK", rank)
        written.append(set(find(tmp_path / "in", tmp_path / "out", weights).paths))
    assert not written[0] & written[1]
    lanes = [line for path in (tmp_path / "out").glob("*lanes*.jsonl") for line in read_lines(path)]
    assert sorted((Path(line["source"]).name, line["frame"]) for line in lanes) == sorted(
        [(f"{name}.mp4", frame) for name in "abc" for frame in range(3)] + [(f"{n}.jpg", 0) for n in range(3)]
    )
    with pytest.raises(ValueError, match="not over ranks"):
        find(tmp_path / "in", tmp_path / "out", weights, format="cvat")


def test_frames_that_change_size_are_fitted_into_the_video_and_told(tmp_path, weights, capsys):
    parts = []
    for number, size in enumerate(((64, 160), (96, 128))):
        path = tmp_path / f"{number}.ts"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.height, stream.width = size
            stream.pix_fmt = "yuv420p"
            for index in range(10):
                frame = av.VideoFrame.from_ndarray(make_picture(size), format="rgb24")
                frame.pts, frame.time_base = 50 * number + index, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        parts.append(path.read_bytes())
    (tmp_path / "both.ts").write_bytes(b"".join(parts))
    assert main(words(tmp_path / "both.ts", tmp_path / "out", weights)) == 2
    assert "have another size than the video" in capsys.readouterr().err
    assert frames_of(tmp_path / "out/both.mp4") == 20
    lines = read_lines(tmp_path / "out/both.lanes.jsonl")
    assert [(line["height"], line["width"]) for line in lines] == [(64, 160)] * 10 + [(96, 128)] * 10


def test_a_full_disk_leaves_a_video_that_plays(tmp_path, weights):
    video = write_video(tmp_path / "drive.mp4", num_frames=120, size=(180, 320))
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000));"
        "from lanenet_sad.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, *words(video, tmp_path / "out", weights)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "cannot write" in done.stderr
    assert "kept" in done.stderr
    assert 0 < frames_of(tmp_path / "out/drive.mp4") < 120
    assert 0 < len(read_lines(tmp_path / "out/drive.lanes.jsonl")) < 120
    assert not [name for name in names(tmp_path / "out") if name.startswith(".") or "unfinished" in name]


@pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGINT, id="ctrl-c"), pytest.param(signal.SIGTERM, id="sigterm", marks=pytest.mark.slow)],
)
def test_a_signal_in_a_long_video_leaves_nothing_behind(tmp_path, weights, number):
    video = write_video(tmp_path / "drive.mp4", num_frames=1500)
    command = [sys.executable, "-m", "lanenet_sad", *words(video, tmp_path / "out", weights)]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 60
    while not children_of(process.pid) and time.monotonic() < deadline:  # until the network has its own process
        time.sleep(0.02)
    children = children_of(process.pid)
    assert children
    mapped = Path(f"/proc/{process.pid}/maps").read_text().splitlines()
    shared = [line.split(maxsplit=5)[-1] for line in mapped if SHARED in line]
    assert shared
    assert all(name.startswith(f"/memfd:{SHARED}") for name in shared)  # which goes with the processes
    while not list((tmp_path / "out").glob("*unfinished*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 130, error
    assert not any(Path(f"/proc/{child}/cmdline").exists() for child in children)
    assert names(tmp_path / "out") <= {f"drive.{ending}" for ending in ENDINGS}
    (told,) = json.loads((tmp_path / "out/drive.summary.json").read_text())["sources"]
    assert told["finished"] is False
    lines = read_lines(tmp_path / "out/drive.lanes.jsonl")
    assert frames_of(tmp_path / "out/drive.mp4") == len(lines) == told["frames"] < 1500


def children_of(pid: int) -> list[int]:
    files = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in files for child in file.read_text().split()]


@pytest.mark.slow  # it is waited for as long as a user would
def test_a_stream_that_never_answers_ends(tmp_path, weights, capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code = main(words(f"http://127.0.0.1:{port}/drive.ts", tmp_path / "out", weights))
    assert code == 2
    error = capsys.readouterr().err
    assert f"127.0.0.1:{port}" in error
    assert len(error.strip().splitlines()) <= 2
