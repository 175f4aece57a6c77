"""The programs in examples/: one video, many videos on a cluster, a ROS 2 node (with stand-ins for ROS)."""

import array
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import ros_stand_ins as ros
from factories import make_corner_picture, make_picture, write_video, write_weights

from lanenet_sad.inference import predictor as predictor_module
from lanenet_sad.inference.lanes_jsonl import read_lanes_jsonl
from lanenet_sad.inference.predictor import Predictor
from lanenet_sad.inference.sinks import VideoSink
from lanenet_sad.lanes.images import read_image
from lanenet_sad.lanes.lane import Image, Lane
from lanenet_sad.lanes.perspective import CameraCalibration
from lanenet_sad.visualization.palette import slot_color

PROJECT = Path(__file__).parents[1]
EXAMPLES = PROJECT / "examples"
CAMERA = CameraCalibration((64, 160), (150.0, 150.0), (79.5, 31.5), height=1.4, pitch=0.05)


def load(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights") / "sure.safetensors")


@pytest.fixture(scope="module")
def predictor(weights) -> Predictor:
    return Predictor.from_weights(weights, device="cpu", threshold=0.0)


@pytest.fixture(scope="module")
def road() -> Image:
    """A rendered road, of which the shipped weights find the lines."""
    return read_image(sorted((PROJECT / "data" / "sample" / "synthetic").rglob("*.jpg"))[0])


def write_cut_video(path: Path, share: float) -> Path:
    """The beginning of a video of 12 frames; its index is there, and at a share of 0.15 no frame is."""
    write_video(path, num_frames=12)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    return path


def test_every_example_is_named_in_the_table():
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    names = {path.name for path in EXAMPLES.glob("*.py")}
    assert names == {"fleet_ray.py", "ros2_lanes.py", "video_lanes.py"}
    assert all(f"[{name}]({name})" in table for name in names)


def test_the_lanes_of_a_video_are_told_frame_by_frame(tmp_path, capsys, road):
    with VideoSink(tmp_path / "drive.mp4", fps=10.0, size=road.shape[:2]) as sink:
        for _ in range(3):
            sink.write(road)
    load("video_lanes").main(str(tmp_path / "drive.mp4"))
    told = capsys.readouterr()
    assert told.err == ""
    lines = told.out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["0.00 s", "0.10 s", "0.20 s"]
    assert all(line.count("%") >= 2 for line in lines)  # both lines of the own lane, at least


def test_the_faults_of_a_video_are_told(tmp_path, capsys, weights, monkeypatch):
    monkeypatch.setattr(predictor_module, "SHIPPED_WEIGHTS", weights)
    load("video_lanes").main(str(write_cut_video(tmp_path / "drive.mp4", 0.8)))
    told = capsys.readouterr()
    assert 0 < len(told.out.splitlines()) < 12
    assert "drive.mp4: broke off after" in told.err


def test_a_fleet_is_listed_once(tmp_path):
    fleet = load("fleet_ray")
    for name in ("b.mp4", "a/1.MKV", "notes.md", "a/._1.MKV"):
        (tmp_path / "videos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "videos" / name).touch()
    gone = tmp_path / "videos/gone.mp4"
    (tmp_path / "list.txt").write_text(f"# tonight\nvideos/b.mp4\n\n{gone}\n", encoding="utf-8")
    videos = fleet.list_videos([str(tmp_path / "videos"), str(tmp_path / "list.txt"), "any.mp4"])
    assert videos == [
        *(tmp_path / "videos" / name for name in ("a/1.MKV", "b.mp4", "gone.mp4")),
        Path.cwd() / "any.mp4",
    ]
    with pytest.raises(FileNotFoundError, match=r"gone\.txt: there is no such file"):
        fleet.list_videos([str(tmp_path / "gone.txt")])
    (tmp_path / "photos").mkdir()
    with pytest.raises(ValueError, match="photos: expected at least one video"):
        fleet.list_videos([str(tmp_path / "photos")])


def test_videos_of_one_name_have_files_of_their_own():
    fleet = load("fleet_ray")
    videos = [Path("/a/front.mp4"), Path("/b/Front.mkv"), Path("/b/rear.mp4")]
    names = fleet.output_names(videos)
    assert names[2] == "rear"
    assert names[0].startswith("front-")
    assert names[1].startswith("Front-")
    assert len({name.lower() for name in names}) == 3
    assert fleet.output_names(videos[::-1]) == names[::-1]  # whatever else is in the list, and in whatever order


def test_a_video_is_worked_through_once(tmp_path, predictor):
    fleet = load("fleet_ray")
    out, video = tmp_path / "out", write_video(tmp_path / "drive.mp4", num_frames=3)
    (task,), rows = fleet.plan([video], out)
    assert (task["path"], task["name"], rows) == (str(video), "drive", [])
    row = fleet.find_lanes(task, out, predictor)
    written = list(read_lanes_jsonl(out / "drive.lanes.jsonl"))
    assert row.keys() == {"path", "frames", "lanes", "faults", "seconds", "lanes_file"}
    assert (row["path"], row["frames"], row["faults"]) == (str(video), 3, [])
    assert row["lanes_file"] == str(out / "drive.lanes.jsonl")
    assert row["seconds"] > 0
    assert [header.index for header, _ in written] == [0, 1, 2]
    assert row["lanes"] == sum(len(prediction.lanes) for _, prediction in written)
    assert {path.name for path in out.iterdir()} == {"drive.lanes.jsonl", "drive.summary.json"}
    assert fleet.plan([video], out) == ([], [row | {"seconds": 0.0}])


@pytest.mark.parametrize("change", ["video", "lanes", "weights"])
def test_what_has_changed_is_done_anew(tmp_path, predictor, change):
    fleet = load("fleet_ray")
    out, video, weights = tmp_path / "out", write_video(tmp_path / "drive.mp4", num_frames=2), tmp_path / "weights"
    weights.write_bytes(b"1")
    (task,), _ = fleet.plan([video], out, str(weights))
    fleet.find_lanes(task, out, predictor)
    assert fleet.plan([video], out, str(weights))[0] == []
    if change == "video":
        write_video(video, num_frames=4)
    elif change == "lanes":
        (out / "drive.lanes.jsonl").unlink()
    else:
        weights.write_bytes(b"22")
    assert [each["name"] for each in fleet.plan([video], out, str(weights))[0]] == ["drive"]


def test_long_videos_are_begun_first(tmp_path):
    fleet = load("fleet_ray")
    videos = [tmp_path / f"{name}.mp4" for name in ("gone", "short", "long")]
    videos[1].write_bytes(b"1")
    videos[2].write_bytes(b"12")
    assert [task["name"] for task in fleet.plan(videos, tmp_path / "out")[0]] == ["long", "short", "gone"]


def test_a_broken_video_is_a_row_with_a_fault_and_is_tried_again(tmp_path, predictor):
    fleet = load("fleet_ray")
    out, video = tmp_path / "out", write_cut_video(tmp_path / "drive.mp4", 0.15)
    others = ((tmp_path / "gone.mp4", "no such file"), (tmp_path / "notes.md", "expected an image or a video"))
    (tmp_path / "notes.md").touch()
    for path, reason in ((video, "not a readable video"), *others):
        (task,), _ = fleet.plan([path], out)
        row = fleet.find_lanes(task, out, predictor)
        assert (row["frames"], row["lanes_file"]) == (0, "")
        (fault,) = row["faults"]
        assert str(path) in fault
        assert reason in fault
        assert fleet.plan([path], out) == ([task], [])
    assert list(out.iterdir()) == []


def test_a_video_that_ends_early_keeps_its_lanes_and_its_fault(tmp_path, predictor):
    fleet = load("fleet_ray")
    video = write_cut_video(tmp_path / "drive.mp4", 0.8)
    (task,), _ = fleet.plan([video], tmp_path / "out")
    row = fleet.find_lanes(task, tmp_path / "out", predictor)
    assert 0 < row["frames"] < 12
    assert "broke off after" in row["faults"][-1]
    assert fleet.plan([video], tmp_path / "out") == ([], [row | {"seconds": 0.0}])


def test_a_defect_costs_one_video(tmp_path, predictor, monkeypatch):
    fleet = load("fleet_ray")
    monkeypatch.setattr(fleet, "LanePipeline", lambda *_, **__: 1 / 0)
    (task,), _ = fleet.plan([write_video(tmp_path / "drive.mp4")], tmp_path / "out")
    (fault,) = fleet.find_lanes(task, tmp_path / "out", predictor)["faults"]
    assert fault == f"{tmp_path / 'drive.mp4'}: ZeroDivisionError: division by zero"


def test_a_video_that_ends_its_process_is_given_up(tmp_path, predictor, monkeypatch):
    fleet = load("fleet_ray")
    out, video = tmp_path / "out", write_video(tmp_path / "drive.mp4", num_frames=2)
    (task,), _ = fleet.plan([video], out)

    def die(*_, **__):
        raise SystemExit  # as near to a killed process as this one may come

    with monkeypatch.context() as patched:
        patched.setattr(fleet, "LanePipeline", die)
        for _ in range(2):
            with pytest.raises(SystemExit):
                fleet.find_lanes(task, out, predictor)
    assert "its process was ended from outside 2 times" in fleet.find_lanes(task, out, predictor)["faults"][0]
    (task,), _ = fleet.plan([video], out)  # another run tries again
    assert fleet.find_lanes(task, out, predictor)["faults"] == []


@pytest.mark.slow
def test_a_fleet_runs_on_a_local_cluster_and_goes_on_where_it_stopped(tmp_path, weights):
    pytest.importorskip("ray.data", reason="Ray is not installed: pip install 'lanenet-sad[fleet]'")
    for name in ("a", "b", "deadly"):
        write_video(tmp_path / f"videos/{name}.mp4", num_frames=5)
    write_cut_video(tmp_path / "videos/broken.mp4", 0.15)
    script = (EXAMPLES / "fleet_ray.py").read_text(encoding="utf-8")
    begun = "        _count_attempt(task, out)\n"
    assert script.count(begun) == 1
    script = script.replace(begun, f'{begun}        os._exit(9) if "deadly" in task["path"] else None\n')
    (tmp_path / "fleet.py").write_text(script, encoding="utf-8")

    def run() -> subprocess.CompletedProcess:
        words = ["videos", "--out", "lanes", "--weights", str(weights), "--device", "cpu"]
        environment = os.environ | {"PYTHONPATH": str(PROJECT), "HOME": str(tmp_path)}
        return subprocess.run(
            [sys.executable, "fleet.py", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )

    done = run()
    assert done.returncode == 2, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "lanes/videos.jsonl").read_text().splitlines()]
    assert [(Path(row["path"]).stem, row["frames"], len(row["faults"])) for row in rows] == [
        ("a", 5, 0),
        ("b", 5, 0),
        ("broken", 0, 1),
        ("deadly", 0, 1),
    ]
    for name in ("a", "b"):
        assert len(list(read_lanes_jsonl(tmp_path / f"lanes/{name}.lanes.jsonl"))) == 5
    assert "broken.mp4: not a readable video" in done.stderr
    assert "deadly.mp4: its process was ended from outside 2 times" in done.stderr

    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "lanes").glob("?.*")}
    assert len(written) == 4
    for name in ("broken", "deadly"):
        (tmp_path / f"videos/{name}.mp4").unlink()
    write_video(tmp_path / "videos/new.mp4", num_frames=2)
    done = run()
    assert done.returncode == 0, done.stderr
    assert "3 videos, 2 of them finished before" in done.stdout
    assert "12 frames" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in written} == written


@pytest.fixture
def node_module(monkeypatch):
    ros.install(monkeypatch)
    return load("ros2_lanes")


def image_message(image, encoding="rgb8", *, padding=0, seconds=(100, 0)):
    rows = np.pad(image.reshape(image.shape[0], -1), ((0, 0), (0, padding)))
    return ros.Image(
        header=ros.Header(stamp=ros.Time(sec=seconds[0], nanosec=seconds[1]), frame_id="camera"),
        height=image.shape[0],
        width=image.shape[1],
        encoding=encoding,
        step=rows.shape[1],
        data=array.array("B", rows.tobytes()),
    )


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "stored"),
    [
        ("rgb8", lambda image: image),
        ("bgr8", lambda image: image[..., ::-1]),
        ("rgba8", lambda image: np.dstack([image, image[..., 0]])),
        ("bgra8", lambda image: np.dstack([image[..., ::-1], image[..., 0]])),
    ],
    ids=["rgb8", "bgr8", "rgba8", "bgra8"],
)
def test_bytes_of_a_message_become_rgb(node_module, encoding, stored, padding):
    image = make_corner_picture()
    found = node_module.image_of(image_message(np.ascontiguousarray(stored(image)), encoding, padding=padding))
    np.testing.assert_array_equal(found, image)
    found[:] = 0  # a picture of its own, not the message's bytes


def test_a_grey_message_has_three_equal_channels(node_module):
    grey = make_picture((6, 10))[..., 0]
    found = node_module.image_of(image_message(grey, "mono8", padding=3))
    np.testing.assert_array_equal(found, np.dstack([grey] * 3))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"encoding": "bayer_rggb8"}, "expected one of the encodings rgb8.*got 'bayer_rggb8'"),
        ({"data": array.array("B", bytes(100))}, "expected 24 rows of 40 pixels.*got 100 bytes"),
        ({"step": 119}, "expected 24 rows of 40 pixels.*in rows of 119"),
        ({"height": 0}, "expected 0 rows"),
    ],
    ids=["encoding", "bytes", "step", "empty"],
)
def test_a_message_that_is_no_picture_is_refused(node_module, change, reason):
    message = image_message(make_corner_picture())
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(ValueError, match=reason):
        node_module.image_of(message)


def test_compressed_messages_become_rgb(node_module):
    image = make_corner_picture()
    png = cv2.imencode(".png", image[..., ::-1])[1].tobytes()
    message = ros.CompressedImage(format="png", data=array.array("B", png))
    np.testing.assert_array_equal(node_module.compressed_image_of(message), image)
    for data in (b"", b"no picture", png[:20]):
        message.data = array.array("B", data)
        with pytest.raises(ValueError, match=f"expected a JPEG or PNG, got {len(data)} bytes"):
            node_module.compressed_image_of(message)


def test_a_picture_there_and_back(node_module):
    image = make_corner_picture()
    message = node_module.message_of(image, ros.Header(frame_id="camera"))
    assert (message.height, message.width, message.step, message.encoding) == (24, 40, 120, "rgb8")
    np.testing.assert_array_equal(node_module.image_of(message), image)


def test_nanoseconds_are_not_rounded(node_module):
    assert node_module.nanoseconds(ros.Time(sec=1_795_000_000, nanosec=123_456_789)) == 1_795_000_000_123_456_789


def test_lines_stand_in_metres_ahead_and_to_the_left(node_module):
    on_ground = np.array([[1.8, 6.0], [1.8, 30.0], [1.8, 150.0]])
    points = np.concatenate([CAMERA.to_image(on_ground), [[80.0, 2.0]]])  # and one in the sky
    found = node_module.marker_points(Lane(points), CAMERA)
    np.testing.assert_allclose(found, [(6.0, -1.8, 0.0), (30.0, -1.8, 0.0)], atol=1e-6)


def test_markers_take_the_old_ones_away(node_module):
    lanes = [
        Lane(CAMERA.to_image([[-1.8, 6.0], [-1.8, 30.0]]), slot=2, confidence=0.9, track_id=7),
        Lane(CAMERA.to_image([[1.8, 6.0], [1.8, 30.0]]), slot=3),
        Lane(np.array([[80.0, 2.0], [80.0, 1.0]]), slot=4),
    ]
    header = ros.Header(frame_id="road")
    clear, left, right = node_module.markers_of(lanes, CAMERA, header).markers
    assert clear.action == ros.Marker.DELETEALL
    assert (left.id, right.id) == (7, 2)
    assert {marker.header.frame_id for marker in (clear, left, right)} == {"road"}
    assert {marker.type for marker in (left, right)} == {ros.Marker.LINE_STRIP}
    assert left.color.a == 0.9
    assert (left.color.r, left.color.g, left.color.b) == tuple(channel / 255 for channel in slot_color(2))
    assert left.points[0].y == pytest.approx(1.8)
    assert left.pose.orientation.w == 1.0
    assert left.lifetime.sec > 0


class RunningNode:
    """A node, its one subscription and what it has published."""

    def __init__(self, module, monkeypatch, predictor, parameters):
        monkeypatch.setattr(ros.Node, "parameters", parameters)
        monkeypatch.setattr(module.Predictor, "from_weights", lambda *_, **__: predictor)
        self.node = module.LaneNode()
        (self.subscription,) = self.node.subscriptions_made
        self.send = self.subscription.callback

    def published(self, topic):
        return self.node.publishers_by_topic[topic].published


def write_camera(path: Path, camera: CameraCalibration) -> str:
    content = {"image_height": camera.image_size[0], "image_width": camera.image_size[1]}
    content |= {"camera_matrix": camera.camera_matrix.tolist(), "height": camera.height, "pitch": camera.pitch}
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}), encoding="utf-8")
    return str(path)


def test_the_lines_of_a_road_come_out_of_the_node(tmp_path, node_module, monkeypatch, road):
    height, width = road.shape[:2]
    camera = CameraCalibration((height, width), (width, width), (width / 2, height / 2), height=1.4, pitch=0.02)
    parameters = {"calibration": write_camera(tmp_path / "camera.json", camera)}
    running = RunningNode(node_module, monkeypatch, Predictor.from_weights(device="cpu"), parameters)
    assert (running.subscription.kind, running.subscription.topic) == (ros.Image, "/camera/image_raw")
    assert running.subscription.qos.depth == 1
    for moment in ((100, 0), (100, 50_000_000)):
        running.send(image_message(road, seconds=moment))
    lines = [json.loads(message.data) for message in running.published("~/lanes")]
    assert [(line["source"], line["frame"], line["time"]) for line in lines] == [
        ("/camera/image_raw", 0, 0.0),
        ("/camera/image_raw", 1, 0.05),
    ]
    assert (lines[1]["width"], lines[1]["height"]) == (width, height)
    assert {2, 3} <= {lane["slot"] for lane in lines[1]["lanes"]}
    assert len({lane["track_id"] for lane in lines[1]["lanes"]}) == len(lines[1]["lanes"])
    drawn = running.published("~/drawn")[1]
    assert (drawn.header.frame_id, drawn.header.stamp.nanosec) == ("camera", 50_000_000)
    assert (node_module.image_of(drawn) != road).any()
    clear, *markers = running.published("~/markers")[1].markers
    assert (clear.header.frame_id, clear.header.stamp.nanosec) == ("camera_ground", 50_000_000)
    near = {marker.id: marker.points[0].y for marker in markers}  # metres to the left
    assert sorted(near) == sorted(lane["track_id"] for lane in lines[1]["lanes"])
    left, right = (next(lane["track_id"] for lane in lines[1]["lanes"] if lane["slot"] == slot) for slot in (2, 3))
    assert near[left] > 0 > near[right]


def test_a_node_says_what_is_broken_and_goes_on(node_module, monkeypatch, predictor):
    running = RunningNode(node_module, monkeypatch, predictor, {})
    image = make_picture((64, 160))
    running.send(image_message(image, "yuv422"))
    running.send(image_message(image))
    assert running.node.num_faults == 1
    assert "got 'yuv422'" in running.node.logger.told[-1]
    assert len(running.published("~/lanes")) == 1
    assert "No calibration is given" in running.node.logger.told[0]
    assert running.published("~/markers") == []


def test_nothing_is_drawn_for_nobody(node_module, monkeypatch, predictor):
    running = RunningNode(node_module, monkeypatch, predictor, {})
    running.node.publishers_by_topic["~/drawn"].num_listeners = 0
    running.send(image_message(make_picture((64, 160))))
    assert len(running.published("~/lanes")) == 1
    assert running.published("~/drawn") == []


def test_a_recording_played_again_is_another_drive(node_module, monkeypatch, predictor):
    running = RunningNode(node_module, monkeypatch, predictor, {})
    resets = []
    monkeypatch.setattr(running.node.follower, "reset", lambda: resets.append(1))
    for seconds in ((100, 0), (101, 0), (100, 0)):
        running.send(image_message(make_picture((64, 160)), seconds=seconds))
    found = [json.loads(message.data) for message in running.published("~/lanes")]
    assert [(line["frame"], line["time"]) for line in found] == [(0, 0.0), (1, 1.0), (0, 0.0)]
    assert len(resets) == 2  # at the start, and when it began again


def test_pictures_without_a_stamp_go_by_the_clock(node_module, monkeypatch, predictor):
    running = RunningNode(node_module, monkeypatch, predictor, {})
    for now in (5_000_000_000, 5_500_000_000):
        running.node.now = now
        running.send(image_message(make_picture((64, 160)), seconds=(0, 0)))
    assert [json.loads(message.data)["time"] for message in running.published("~/lanes")] == [0.0, 0.5]


def test_a_compressed_topic_has_compressed_messages(node_module, monkeypatch, predictor):
    running = RunningNode(node_module, monkeypatch, predictor, {"image_topic": "/front/compressed"})
    assert running.subscription.kind == ros.CompressedImage
    jpeg = cv2.imencode(".jpg", make_picture((64, 160)))[1].tobytes()
    running.send(ros.CompressedImage(header=ros.Header(), format="jpeg", data=array.array("B", jpeg)))
    assert json.loads(running.published("~/lanes")[0].data)["source"] == "/front/compressed"


@pytest.mark.parametrize("known", [{"height": None}, {}], ids=["lens", "lens-and-height"])
def test_before_the_camera_is_known_there_are_no_lines_in_metres(tmp_path, node_module, monkeypatch, predictor, known):
    camera = replace(CAMERA, pitch=None, **known)
    parameters = {"calibration": write_camera(tmp_path / "camera.json", camera)}
    running = RunningNode(node_module, monkeypatch, predictor, parameters)
    running.send(image_message(make_picture((64, 160))))
    assert running.node.num_faults == 0
    assert len(running.published("~/lanes")) == 1
    assert running.published("~/markers") == []
