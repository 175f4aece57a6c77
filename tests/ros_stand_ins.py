"""Stand-ins for the ROS 2 packages that examples/ros2_lanes.py imports, for machines without ROS.

Messages have the fields of their .msg files and are as strict about types as those that rosidl generates: an int where
a float belongs, a NumPy number or an unknown field is an error there, too.
"""

import array
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar


class Message:
    """Fields with defaults, given by name; a callable default makes a new one for each message."""

    fields: ClassVar[dict[str, Any]] = {}

    def __init__(self, **values):
        for name, default in self.fields.items():
            setattr(self, name, values.pop(name) if name in values else default())
        assert not values, f"{type(self).__name__} has no {', '.join(values)}"

    def __setattr__(self, name, value):
        kind = self.fields[name]
        expected = kind if isinstance(kind, type) else type(kind())
        if expected is float and type(value) is int:
            raise AssertionError(f"{type(self).__name__}.{name} must be a float, got the int {value}")
        assert type(value) is expected, (
            f"{type(self).__name__}.{name}: {type(value).__name__} is no {expected.__name__}"
        )
        object.__setattr__(self, name, value)


def message(name: str, constants: dict[str, int] | None = None, **fields: Callable[[], Any]) -> type[Message]:
    return type(name, (Message,), {"fields": fields, **(constants or {})})


def octets() -> array.array:
    return array.array("B")


Time = message("Time", sec=int, nanosec=int)
Duration = message("Duration", sec=int, nanosec=int)
Header = message("Header", stamp=Time, frame_id=str)
Point = message("Point", x=float, y=float, z=float)
Vector3 = message("Vector3", x=float, y=float, z=float)
Quaternion = message("Quaternion", x=float, y=float, z=float, w=float)
Pose = message("Pose", position=Point, orientation=Quaternion)
ColorRGBA = message("ColorRGBA", r=float, g=float, b=float, a=float)
String = message("String", data=str)
Image = message("Image", header=Header, height=int, width=int, encoding=str, is_bigendian=int, step=int, data=octets)
CompressedImage = message("CompressedImage", header=Header, format=str, data=octets)
Marker = message(
    "Marker",
    {"LINE_STRIP": 4, "ADD": 0, "DELETEALL": 3},
    header=Header,
    ns=str,
    id=int,
    type=int,
    action=int,
    pose=Pose,
    scale=Vector3,
    color=ColorRGBA,
    lifetime=Duration,
    points=list,
)
MarkerArray = message("MarkerArray", markers=list)


@dataclass
class Publisher:
    kind: type[Message]
    topic: str
    num_listeners: int = 1

    def __post_init__(self):
        self.published: list[Message] = []

    def publish(self, each):
        assert type(each) is self.kind
        self.published.append(each)

    def get_subscription_count(self):
        return self.num_listeners


class Logger:
    def __init__(self):
        self.told: list[str] = []

    def info(self, text):
        self.told.append(text)

    def error(self, text, *, throttle_duration_sec):
        assert throttle_duration_sec > 0
        self.told.append(text)


class Node:
    """Keeps what a node makes; `parameters` and `now` are what a user and the clock say."""

    parameters: ClassVar[dict[str, str]] = {}
    now = 0

    def __init__(self, name):
        self.name = name
        self.publishers_by_topic: dict[str, Publisher] = {}
        self.subscriptions_made: list[SimpleNamespace] = []
        self.logger = Logger()

    def declare_parameter(self, name, default):
        return SimpleNamespace(value=self.parameters.get(name, default))

    def create_publisher(self, kind, topic, qos):
        assert qos >= 1
        return self.publishers_by_topic.setdefault(topic, Publisher(kind, topic))

    def create_subscription(self, kind, topic, callback, qos):
        self.subscriptions_made.append(SimpleNamespace(kind=kind, topic=topic, callback=callback, qos=qos))

    def get_logger(self):
        return self.logger

    def get_clock(self):
        return SimpleNamespace(now=lambda: SimpleNamespace(nanoseconds=self.now))


def install(monkeypatch) -> None:
    """Put the stand-ins where Python looks for imported modules."""
    modules: dict[str, dict[str, Any]] = {
        "rclpy": {"init": lambda: None, "spin": lambda node: None, "try_shutdown": lambda: None},
        "rclpy.executors": {"ExternalShutdownException": type("ExternalShutdownException", (Exception,), {})},
        "rclpy.node": {"Node": Node},
        "rclpy.qos": {
            "HistoryPolicy": SimpleNamespace(KEEP_LAST=1),
            "ReliabilityPolicy": SimpleNamespace(BEST_EFFORT=2),
            "QoSProfile": SimpleNamespace,
        },
        "builtin_interfaces.msg": {"Duration": Duration},
        "geometry_msgs.msg": {"Point": Point},
        "sensor_msgs.msg": {"CompressedImage": CompressedImage, "Image": Image},
        "std_msgs.msg": {"ColorRGBA": ColorRGBA, "Header": Header, "String": String},
        "visualization_msgs.msg": {"Marker": Marker, "MarkerArray": MarkerArray},
    }
    for name in [each.partition(".")[0] for each in modules] + list(modules):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    for name, content in modules.items():
        vars(sys.modules[name]).update(content)
