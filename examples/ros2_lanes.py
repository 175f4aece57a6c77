"""A ROS 2 node that finds lanes: `python3 examples/ros2_lanes.py --ros-args -p image_topic:=/camera/image_raw`.

UNTRIED ON ROS: it was written where ROS 2 is not to be had. Its tests run it with stand-ins for rclpy and the messages
(tests/test_examples.py), so the arithmetic is tested and the wiring is not. docs/ros2.md says what to look at first.

Subscribes to `image_topic` (sensor_msgs/Image, or CompressedImage if the topic's name ends in /compressed), and
publishes with the picture's header

* `~/lanes` (std_msgs/String): the JSON object of the frame, as in a line of `lanes.jsonl` (docs/outputs.md);
* `~/markers` (visualization_msgs/MarkerArray): the lines on the ground in metres, if there is a calibration;
* `~/drawn` (sensor_msgs/Image): the picture with its lanes, if somebody listens.
"""

from __future__ import annotations

import array
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rclpy
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage
from sensor_msgs.msg import Image as ImageMessage
from std_msgs.msg import ColorRGBA, Header, String
from visualization_msgs.msg import Marker, MarkerArray

from lanenet_sad.inference.lanes_jsonl import describe_lanes
from lanenet_sad.inference.predictor import Predictor
from lanenet_sad.lanes.calibration_files import read_calibration
from lanenet_sad.lanes.lane import Frame, Image, Lane, LanePrediction
from lanenet_sad.lanes.perspective import CameraCalibration
from lanenet_sad.postprocess.follower import LaneFollower
from lanenet_sad.visualization.annotators import EgoLaneAnnotator, LaneAnnotator, annotate_all
from lanenet_sad.visualization.palette import slot_color

# Bytes of a pixel and how to make RGB of them; REP 118 and sensor_msgs/image_encodings name more.
_ENCODINGS = {
    "rgb8": (3, None),
    "bgr8": (3, cv2.COLOR_BGR2RGB),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
}
_FARTHEST = 100.0  # metres ahead: beyond, a pixel is a hundred metres long
_LINE_WIDTH = 0.15  # metres, as painted lines have it
_LIFETIME = Duration(sec=1, nanosec=0)  # of markers: a node that has died leaves no lines standing


def image_of(message: Any) -> Image:
    """The picture of a sensor_msgs/Image, (H, W, 3) RGB uint8; rows may be padded.

    Raises:
        ValueError: another encoding than rgb8, bgr8, rgba8, bgra8 or mono8, or too few bytes.
    """
    if message.encoding not in _ENCODINGS:
        raise ValueError(
            f"Image message: expected one of the encodings {', '.join(_ENCODINGS)}, got {message.encoding!r}; let "
            f"image_proc convert the pictures."
        )
    channels, conversion = _ENCODINGS[message.encoding]
    height, width, step = int(message.height), int(message.width), int(message.step)
    data = np.frombuffer(message.data, np.uint8)
    if min(height, width) < 1 or step < width * channels or data.size < height * step:
        raise ValueError(
            f"Image message: expected {height} rows of {width} pixels in {message.encoding}, got {data.size} bytes in "
            f"rows of {step}."
        )
    pixels = data[: height * step].reshape(height, step)[:, : width * channels].reshape(height, width, channels)
    image = np.ascontiguousarray(pixels)
    return image.copy() if conversion is None else np.asarray(cv2.cvtColor(image, conversion), dtype=np.uint8)


def compressed_image_of(message: Any) -> Image:
    """The picture of a sensor_msgs/CompressedImage (JPEG or PNG), (H, W, 3) RGB uint8.

    Raises:
        ValueError: the bytes are no picture that OpenCV can read.
    """
    data = np.frombuffer(message.data, np.uint8)
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if bgr is None:
        raise ValueError(f"Compressed image message: expected a JPEG or PNG, got {data.size} bytes that are neither.")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def nanoseconds(stamp: Any) -> int:
    """A builtin_interfaces/Time as one whole number, which a float of seconds since 1970 would round."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def marker_points(lane: Lane, calibration: CameraCalibration) -> list[tuple[float, float, float]]:
    """A lane on the ground in metres: (ahead, left, up) of the place on the road below the camera, as REP 103 has it.

    Points above the horizon, behind the camera or farther than 100 m are left out.
    """
    ground = calibration.to_ground(lane.points)  # (N, 2): right, ahead
    ahead = ground[:, 1]
    good = np.isfinite(ground).all(axis=1) & (ahead > 0) & (ahead < _FARTHEST)
    return [(float(forward), float(-right), 0.0) for right, forward in ground[good]]


def markers_of(
    lanes: Sequence[Lane], calibration: CameraCalibration, header: Header, *, num_lanes: int = 4
) -> MarkerArray:
    """A MarkerArray that takes away the lines of the frame before and draws these."""
    markers = [Marker(header=header, action=Marker.DELETEALL)]
    for number, lane in enumerate(lanes, 1):
        points = marker_points(lane, calibration)
        if len(points) < 2:
            continue
        marker = Marker(header=header, ns="lanes", id=lane.track_id or number, type=Marker.LINE_STRIP)
        marker.action, marker.lifetime = Marker.ADD, _LIFETIME
        marker.pose.orientation.w = 1.0
        marker.scale.x = _LINE_WIDTH  # of a line strip, nothing else counts
        red, green, blue = (channel / 255 for channel in slot_color(lane.slot, num_lanes))
        marker.color = ColorRGBA(r=red, g=green, b=blue, a=float(max(0.2, lane.confidence)))
        marker.points = [Point(x=x, y=y, z=z) for x, y, z in points]
        markers.append(marker)
    return MarkerArray(markers=markers)


def message_of(image: Image, header: Header) -> ImageMessage:
    """A picture, (H, W, 3) RGB uint8, as a sensor_msgs/Image."""
    height, width = image.shape[:2]
    data = array.array("B")  # anything else is looked at byte by byte on its way into the message
    data.frombytes(np.ascontiguousarray(image).data)
    return ImageMessage(
        header=header,
        height=height,
        width=width,
        encoding="rgb8",
        is_bigendian=0,
        step=3 * width,
        data=data,
    )


class LaneNode(Node):
    """Finds the lanes of every picture that there is time for: of those that wait, the newest."""

    def __init__(self) -> None:
        super().__init__("lanes")
        self.topic = self._text("image_topic", "/camera/image_raw")
        weights, calibration = self._text("weights", ""), self._text("calibration", "")
        self.ground_frame = self._text("ground_frame", "camera_ground")
        self.has_calibration = bool(calibration)
        camera = read_calibration(calibration) if calibration else None
        device = self._text("device", "auto")
        self.predictor = Predictor.from_weights(Path(weights) if weights else None, device=device)
        self.num_lanes = self.predictor.network.num_lanes
        self.follower = LaneFollower.standard(num_lanes=self.num_lanes, calibration=camera)
        self.annotators = (EgoLaneAnnotator(num_lanes=self.num_lanes), LaneAnnotator(num_lanes=self.num_lanes))
        self.num_frames = self.num_faults = 0
        self._first: int | None = None
        self._latest = 0
        self._lanes = self.create_publisher(String, self._text("lanes_topic", "~/lanes"), 10)
        self._drawn = self.create_publisher(ImageMessage, self._text("drawn_topic", "~/drawn"), 1)
        self._markers = self.create_publisher(MarkerArray, self._text("markers_topic", "~/markers"), 10)
        if not self.has_calibration:
            self.get_logger().info("No calibration is given, so that no lines in metres are published.")
        is_compressed = self.topic.endswith("/compressed")
        self._read = compressed_image_of if is_compressed else image_of
        # A queue of one that drops: while the network is busy, each picture takes the place of the one before.
        newest = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(CompressedImage if is_compressed else ImageMessage, self.topic, self.on_image, newest)

    def on_image(self, message: Any) -> None:
        """One picture; a broken one is told and counted, and the node goes on."""
        try:
            frame = self._frame(message)
            prediction = self.follower(frame, self.predictor([frame.image])[0])
            self._publish(frame, prediction, message.header)
        except ValueError as error:
            self.num_faults += 1
            self.get_logger().error(f"{error} ({self.num_faults} faults)", throttle_duration_sec=5.0)

    def _frame(self, message: Any) -> Frame:
        image = self._read(message)
        moment = nanoseconds(message.header.stamp) or self.get_clock().now().nanoseconds
        if self._first is None or moment < self._latest:  # a recording that is played again is another drive
            self._first, self.num_frames = moment, 0
            self.follower.reset()
        self._latest = moment
        self.num_frames += 1
        return Frame(image, self.topic, self.num_frames - 1, (moment - self._first) / 1e9)

    def _publish(self, frame: Frame, prediction: LanePrediction, header: Header) -> None:
        self._lanes.publish(String(data=json.dumps(describe_lanes(frame, prediction), allow_nan=False)))
        # What the file leaves open, the meter has found in the lanes: the pitch, and the height from their width.
        camera = prediction.camera if self.has_calibration else None
        if camera is not None and camera.height is not None:
            on_ground = Header(stamp=header.stamp, frame_id=self.ground_frame)
            self._markers.publish(markers_of(prediction.lanes, camera, on_ground, num_lanes=self.num_lanes))
        if self._drawn.get_subscription_count():
            self._drawn.publish(message_of(annotate_all(frame.image, prediction, self.annotators), header))

    def _text(self, name: str, default: str) -> str:
        return str(self.declare_parameter(name, default).value)


def main() -> None:
    """Runs the node until Ctrl-C."""
    rclpy.init()
    try:
        node = LaneNode()
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
