import itertools
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
from factories import GREEN, RED, has_color, write_video
from stream_servers import free_port, make_clip, send_file, send_live, send_pieces, serve, silent_server

from lanenet_sad.inference import stream_connection
from lanenet_sad.inference.live import BackgroundReader
from lanenet_sad.inference.source import FrameSelection
from lanenet_sad.inference.sources import StreamSettings, StreamSource, open_source, open_sources
from lanenet_sad.inference.stream_address import name_of_address, show_address
from lanenet_sad.inference.stream_clock import StreamClock
from lanenet_sad.lanes.lane import Frame

QUICK = StreamSettings(open_timeout=5, read_timeout=0.5, patience=0.6)


def read(source: StreamSource, *, pause: float = 0.0) -> list[Frame]:
    frames = []
    with source:
        for frame in source:
            frames.append(frame)
            time.sleep(pause)
    return frames


def test_live_stream_that_drops_and_comes_back() -> None:
    clip, count, is_read = make_clip("mpegts", 60), itertools.count(), threading.Event()
    parts = clip[: len(clip) * 2 // 3], clip[len(clip) * 2 // 3 :]

    def answer(request: BaseHTTPRequestHandler) -> None:
        number = next(count)
        if number == 0:
            send_live(request, parts[0], seconds=0.1)
            is_read.wait(20)  # what came before is left out
            send_pieces(request, parts[1], seconds=0.8)
        elif number == 1:
            send_live(request, parts[0], seconds=0.5)
        else:
            request.send_error(503)

    with serve(answer) as host:
        source = StreamSource(f"http://me:secret@{host}/cam/1.ts?token=abc", settings=QUICK)
        assert (source.kind, source.num_frames, source.size, source.fps) == ("stream", None, (48, 80), 25)
        started = time.monotonic()
        time.sleep(0.2)
        is_read.set()
        frames = read(source)
        seconds = time.monotonic() - started
    assert 10 <= len(frames) <= 100
    assert has_color(frames[-2].image, 0.25, 0.25, GREEN)  # in the last one the connection broke
    assert has_color(frames[-2].image, 0.75, 0.75, RED)
    assert frames[0].time == pytest.approx(frames[0].index / 25, abs=0.01)
    assert all(np.diff([frame.index for frame in frames]) >= 1)
    times = [frame.time for frame in frames]
    assert all(np.diff(times) > 0)
    assert times[-1] == pytest.approx(3.1, abs=0.9)  # 0.8 s, a break of 0.5 s, and a part of 1.6 s
    assert max(np.diff(times)) >= 0.25  # the break has its length
    address = f"http://{host}/cam/1.ts?token=***"
    assert source.faults[0].startswith(f"{address}: broke off after ")
    assert "came back after 0." in source.faults[0]
    assert source.faults[1].startswith(f"{address}: broke off after {frames[-1].index + 1} frames (")
    assert "did not come back within" in source.faults[1]
    assert all("damaged" in fault for fault in source.faults[2:])  # the frame in which the connection broke
    assert {frame.source for frame in frames} == {address}
    assert source.name == f"{host.replace(':', '-')}-cam-1"
    assert seconds < 5


def test_stream_that_never_answers_ends_in_time() -> None:
    with silent_server() as host:
        started = time.monotonic()
        with pytest.raises(ValueError, match=rf"^http://{host}/x: no picture came within 0\.3 s; check the address"):
            open_source_quickly(f"http://user:secret@{host}/x", open_timeout=0.3)
        assert time.monotonic() - started < 2


def open_source_quickly(url: str, **settings: float) -> StreamSource:
    return StreamSource(url, settings=StreamSettings(**settings))


def test_what_cannot_be_opened_is_named_without_its_password() -> None:
    with serve(lambda request: request.send_error(404)) as host:
        with pytest.raises(ValueError, match=rf"^http://{host}/x\.ts: cannot be opened: .*404") as caught:
            open_source(f"http://user:secret@{host}/x.ts")
        assert caught.value.__suppress_context__  # a traceback would show the whole address
    with pytest.raises(ValueError, match=r"http://127\.0\.0\.1:\d+/x: cannot be opened: Connection refused"):
        open_source(f"http://127.0.0.1:{free_port()}/x")
    with (
        serve(lambda request: send_file(request, b"hello " * 100)) as host,
        pytest.raises(ValueError, match=r"/x: cannot be opened: Invalid data"),
    ):
        open_source(f"http://{host}/x")
    with pytest.raises(
        ValueError, match=r"ftp://host/a\.mp4: expected a file, a folder or an address with one of http"
    ):
        open_source("ftp://user:secret@host/a.mp4")


def test_stream_that_falls_silent_is_given_up() -> None:
    clip, asleep, count = make_clip("mpegts"), threading.Event(), itertools.count()

    def answer(request: BaseHTTPRequestHandler) -> None:
        if next(count) == 0:
            send_live(request, clip, seconds=0.2)
        asleep.wait(10)

    with serve(answer) as host:
        source = StreamSource(f"http://{host}/a", settings=StreamSettings(read_timeout=0.2, patience=0.3))
        started = time.monotonic()
        frames = read(source)
        assert time.monotonic() - started < 3
        asleep.set()
    assert frames
    assert len(source.faults) == 1
    assert "(no data for 0.2 s) and did not come back within" in source.faults[0]


@pytest.mark.parametrize(
    ("container_format", "options", "mime"),
    [
        ("mpegts", {}, "video/mp2t"),
        ("mp4", {"movflags": "frag_keyframe+empty_moov+default_base_moof"}, "video/mp4"),
    ],
    ids=["mpegts", "fragmented-mp4"],
)
def test_slow_viewers_see_the_latest(container_format: str, options: dict[str, str], mime: str) -> None:
    clip = make_clip(container_format, 50, **options)
    with serve(lambda request: send_live(request, clip, seconds=0.7, mime=mime)) as host:
        source = StreamSource(f"http://{host}/a", settings=QUICK, selection=FrameSelection(duration=0.8))
        frames = read(source, pause=0.1)
    assert source.dropped >= 5
    indices = [frame.index for frame in frames]
    assert all(np.diff(indices) >= 1)
    assert source.dropped + len(frames) <= 50
    assert indices[-1] >= 15
    assert np.allclose([frame.time for frame in frames], np.array(indices) / 25, atol=2e-3)


def test_recording_on_a_server_loses_nothing(tmp_path: Path) -> None:
    clip, count = write_video(tmp_path / "a.mp4", num_frames=60, size=(48, 80)).read_bytes(), itertools.count()

    def answer(request: BaseHTTPRequestHandler) -> None:
        send_file(request, clip, upto=None if next(count) else len(clip) // 2)

    with serve(answer) as host:
        source = StreamSource(f"http://{host}/drive.mp4", settings=QUICK)
        assert source.num_frames == 60
        frames = read(source, pause=0.005)
    assert [frame.index for frame in frames] == list(range(60))
    assert np.allclose([frame.time for frame in frames], np.arange(60) / 25, atol=1e-3)
    assert source.dropped == 0
    assert len(source.faults) == 1
    assert "broke off after" in source.faults[0]


def test_playlist() -> None:
    parts = {f"/{n}.ts": make_clip("mpegts", 20, first=20 * n) for n in range(2)}
    playlist = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n"
    playlist += "#EXTINF:0.8,\n0.ts\n#EXTINF:0.8,\n1.ts\n#EXT-X-ENDLIST\n"
    with serve(lambda request: send_file(request, parts.get(request.path, playlist.encode()))) as host:
        source = StreamSource(f"http://{host}/live/../drive.m3u8", settings=QUICK)
        frames = read(source)
    assert [frame.index for frame in frames] == list(range(40))
    assert source.faults == []


def test_playlist_must_not_read_files(tmp_path: Path) -> None:
    (tmp_path / "0.ts").write_bytes(make_clip("mpegts", 20))
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.8,\nfile://{tmp_path}/0.ts\n#EXT-X-ENDLIST\n".encode()
    with (
        serve(lambda request: send_file(request, playlist)) as host,
        pytest.raises(ValueError, match="cannot be opened"),
    ):
        StreamSource(f"http://{host}/drive.m3u8", settings=QUICK)


def test_pictures_one_after_the_other() -> None:
    jpeg = make_clip("mjpeg", 1, encoder="mjpeg")
    part = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(jpeg), jpeg)
    mime = "multipart/x-mixed-replace; boundary=frame"
    with serve(lambda request: send_live(request, part * 20, seconds=1, mime=mime)) as host:
        source = StreamSource(f"http://{host}/video", settings=QUICK, selection=FrameSelection(duration=0.4))
        frames = read(source)
    assert len(frames) >= 3
    assert frames[-1].time == pytest.approx(0.3, abs=0.15)  # by the clock on the wall, for these have no time stamps


def test_udp() -> None:
    clip, port, stopping = make_clip("mpegts"), free_port(), threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not stopping.is_set():
                for start in range(0, len(clip), 1316):
                    sender.sendto(clip[start : start + 1316], ("127.0.0.1", port))
                    time.sleep(0.005)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        source = StreamSource(f"udp://127.0.0.1:{port}", selection=FrameSelection(duration=0.5), settings=QUICK)
        frames = read(source)
    finally:
        stopping.set()
        thread.join()
    assert frames
    assert has_color(frames[0].image, 0.25, 0.25, GREEN)


def test_stream_of_a_list_is_opened_when_its_turn_comes(tmp_path: Path) -> None:
    asked = []
    with serve(lambda request: (asked.append(request.path), request.send_error(404))) as host:
        (tmp_path / "list.txt").write_text(f"http://{host}/a\nhttp://me:secret@{host}/b\n")
        found = open_sources(str(tmp_path / "list.txt"), stream=QUICK)
        assert asked == []
        for source in found:
            with source:
                assert list(source) == []
            assert len(source.faults) == 1
            assert "404" in source.faults[0]
            assert "secret" not in source.faults[0]
    assert set(asked) == {"/a", "/b"}


@pytest.mark.slow
def test_rtsp(monkeypatch: pytest.MonkeyPatch) -> None:
    # FFmpeg has no RTSP server that one could ask; but its reader can wait for a camera that sends.
    monkeypatch.setattr(stream_connection, "_RTSP_OPTIONS", {"rtsp_flags": "listen", "listen_timeout": "8"})
    address = f"rtsp://127.0.0.1:{free_port()}/drive"
    code = "import sys, stream_servers; stream_servers.publish(sys.argv[1], 75)"
    with subprocess.Popen([sys.executable, "-c", code, address], cwd=Path(__file__).parents[1]) as publisher:
        source = StreamSource(address, settings=StreamSettings(patience=0.5))
        frames = read(source)
        publisher.wait()
    assert (source.size, source.fps, source.num_frames) == ((48, 80), 25, None)
    assert len(frames) >= 10
    assert has_color(frames[-1].image, 0.75, 0.75, RED)
    assert len(source.faults) == 1
    assert "did not come back" in source.faults[0]


# Addresses and clocks


@pytest.mark.parametrize(
    ("address", "shown", "name"),
    [
        ("rtsp://me:secret@10.0.0.7:554/live/1", "rtsp://10.0.0.7:554/live/1", "10.0.0.7-554-live-1"),
        ("http://a@b:c@host/x.m3u8", "http://host/x.m3u8", "host-x"),
        (
            "rtsp://host/cam?channel=1&password=abc&X-Token=q",
            "rtsp://host/cam?channel=1&password=***&X-Token=***",
            "host-cam",
        ),
        ("https://host/../../etc/pass wd", "https://host/../../etc/pass wd", "host-..-..-etc-pass-wd"),
        ("udp://@239.0.0.1:1234", "udp://239.0.0.1:1234", "239.0.0.1-1234"),
        ("http://host/" + "a" * 300, "http://host/" + "a" * 300, "host-" + "a" * 75),
        (
            "rtsp://10.0.0.7:554/user=admin&password=geheim&channel=1.sdp?usr=me&psw=geheim",
            "rtsp://10.0.0.7:554/user=***&password=***&channel=1.sdp?usr=***&psw=***",
            "10.0.0.7-554-user-password-channel-1.sdp",
        ),
    ],
    ids=["password", "two-ats", "query", "odd-path", "multicast", "long", "fields in the path"],
)
def test_addresses_are_shown_without_secrets(address: str, shown: str, name: str) -> None:
    assert show_address(address) == shown
    assert name_of_address(address) == name


def test_addresses_that_are_none() -> None:
    with pytest.raises(ValueError, match=r"^http://\.\.\.: not a valid address\.$"):
        open_source("http://me:secret@[::1/x")
    with pytest.raises(ValueError, match="expected an address with a host"):
        open_source("rtsp:///x")


def test_clock_keeps_distances_and_goes_on_after_breaks() -> None:
    clock = StreamClock(step=0.04)
    assert [clock.time(stamp, now) for stamp, now in ((50.0, 7.0), (50.04, 7.3), (50.08, 7.31))] == pytest.approx(
        [0, 0.04, 0.08]
    )
    clock.restart()
    assert clock.time(0.0, 9.0) == pytest.approx(2.0)  # the wall says so
    assert clock.time(0.04, 9.0) == pytest.approx(2.04)
    assert clock.time(-500.0, 9.01) == pytest.approx(2.044)  # behind: a little later than the one before
    assert clock.time(500.0, 9.5) == pytest.approx(2.5)  # a jump ahead
    assert clock.time(None, 9.7) == pytest.approx(2.7)


def test_reader_hands_over_errors_and_stops() -> None:
    def read(stopping: threading.Event) -> Iterator[int]:
        yield 1
        raise OSError("gone")

    reader = BackgroundReader(read)
    items = reader.fetch(5)
    assert next(items) == 1
    with pytest.raises(OSError, match="gone"):
        next(items)

    def sleep(stopping: threading.Event) -> Iterator[int]:
        stopping.wait(20)
        yield 2

    sleeper = BackgroundReader(sleep)
    with pytest.raises(TimeoutError, match=r"nothing came for 0\.05 s"):
        next(sleeper.fetch(0.05))
    assert sleeper.stop()
