"""Servers on the loopback that send streams, and break them off."""

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av
import numpy as np
from factories import make_corner_picture

Answer = Callable[[BaseHTTPRequestHandler], None]
FPS = 25


def make_clip(
    container_format: str, num_frames: int = 40, *, encoder: str = "libx264", first: int = 0, **options: str
) -> bytes:
    """A small video in memory, with a key frame every 5 frames."""
    file = io.BytesIO()
    with av.open(file, "w", format=container_format, options=options) as container:
        stream = container.add_stream(encoder, rate=FPS)
        stream.width, stream.height = 80, 48
        stream.pix_fmt = "yuvj420p" if encoder == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = 5
        stream.codec_context.max_b_frames = 0
        if encoder == "libx264":
            stream.codec_context.options = {"tune": "zerolatency", "preset": "ultrafast"}
        noise = np.random.default_rng(0)
        for number in range(num_frames):
            picture = np.clip(make_corner_picture(48, 80) + noise.integers(0, 30, (48, 80, 3)), 0, 255)
            frame = av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24")
            frame.pts, frame.time_base = first + number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


@contextmanager
def serve(answer: Answer) -> Iterator[str]:
    """Answer every request to an HTTP server; gives `localhost:port`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                answer(self)
            except OSError:
                self.close_connection = True  # who asked has gone

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def send_live(request: BaseHTTPRequestHandler, content: bytes, *, seconds: float, mime: str = "video/mp2t") -> None:
    """Send a stream without saying how long it is, spread over some seconds; then the connection closes."""
    request.send_response(200)
    request.send_header("Content-Type", mime)
    request.end_headers()
    send_pieces(request, content, seconds=seconds)
    request.close_connection = True


def send_pieces(request: BaseHTTPRequestHandler, content: bytes, *, seconds: float) -> None:
    """Send more of a stream, spread over some seconds."""
    num_pieces = max(1, round(seconds * 50))
    size = -(-len(content) // num_pieces)
    for start in range(0, len(content), size):
        request.wfile.write(content[start : start + size])
        time.sleep(seconds / num_pieces)


def send_file(request: BaseHTTPRequestHandler, content: bytes, *, upto: int | None = None) -> None:
    """Send a recording, of known length; `upto` breaks it off there."""
    request.send_response(200)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content[:upto])
    request.close_connection = True


@contextmanager
def silent_server() -> Iterator[str]:
    """Accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def free_port() -> int:
    """A port that nobody listens at, as far as that can be known."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def publish(address: str, num_frames: int) -> None:
    """Send a clip by RTSP to a reader that waits for one, at the clip's own pace."""
    deadline = time.monotonic() + 5
    while True:
        try:
            container = av.open(address, "w", format="rtsp", options={"rtsp_transport": "tcp"})
            stream = container.add_stream("libx264", rate=FPS)
            stream.width, stream.height, stream.pix_fmt = 80, 48, "yuv420p"
            stream.codec_context.gop_size, stream.codec_context.max_b_frames = 5, 0
            stream.codec_context.options = {"tune": "zerolatency", "preset": "ultrafast"}
            container.start_encoding()
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    with container:
        for number in range(num_frames):
            frame = av.VideoFrame.from_ndarray(make_corner_picture(48, 80), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
            time.sleep(1 / FPS)
