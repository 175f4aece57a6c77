"""Addresses of streams: which are taken, how they are shown, what a file made from one is called."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit, urlunsplit

_WEB = "http,https,httpproxy,tcp,tls,crypto,data"
# FFmpeg protocols that a stream may use, files never: a playlist on a server must not read the disk of its viewer.
_PROTOCOLS = {
    "http": _WEB,
    "https": _WEB,
    "rtsp": "rtsp,rtsps,rtp,srtp,udp,tcp,tls,http,https",
    "rtsps": "rtsp,rtsps,rtp,srtp,udp,tcp,tls,http,https",
    "rtmp": "rtmp,rtmpe,rtmps,rtmpt,rtmpte,rtmpts,ffrtmphttp,ffrtmpcrypt,tcp,tls,http,https",
    "rtmps": "rtmps,tcp,tls",
    "udp": "udp,rtp",
}
_SECRET = re.compile(r"pass|pwd|psw|token|key|auth|secret|sig|usr|user|login|cred|code|sid", re.IGNORECASE)
_FIELD = re.compile(r"([^/&;,?=]+)=([^/&;,?]*)")  # cameras take fields in the path as well as in the query
_MAX_NAME = 80


def is_address(source: str) -> bool:
    """Whether a source is named by an address and not by a path."""
    return re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", source) is not None


def protocols_of(url: str) -> str:
    """The FFmpeg protocols that opening this address may use, with commas between.

    Raises:
        ValueError: for an address of a kind that is not taken, or without a host.
    """
    parts = _split(url)
    if parts.scheme.lower() not in _PROTOCOLS:
        known = ", ".join(f"{scheme}://" for scheme in _PROTOCOLS)
        raise ValueError(f"{show_address(url)}: expected a file, a folder or an address with one of {known}.")
    if not parts.netloc:
        raise ValueError(f"{show_address(url)}: expected an address with a host, as rtsp://camera.local/stream.")
    return _PROTOCOLS[parts.scheme.lower()]


def show_address(url: str) -> str:
    """The address without user, password and values of fields that look like secrets; fit to be printed."""
    parts = _split(url)
    return urlunsplit((parts.scheme, _host(parts), _without_secrets(parts.path), _without_secrets(parts.query), ""))


def name_of_address(url: str) -> str:
    """A name for files, of host and path: `rtsp://me:secret@10.0.0.7:554/live/1` -> `10.0.0.7-554-live-1`."""
    parts = _split(url)
    path = re.sub(r"\.(m3u8|mp4|ts|mjpe?g|flv)$", "", _without_secrets(parts.path), flags=re.IGNORECASE)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{_host(parts)}{path}").strip("-.")
    return name[:_MAX_NAME].rstrip("-.") or "stream"


def _without_secrets(text: str) -> str:
    return _FIELD.sub(lambda field: f"{field[1]}=***" if _SECRET.search(field[1]) else field[0], text)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # a bracket that is not closed, and the like; the text itself may hold a password
        scheme = url.partition("://")[0]
        raise ValueError(f"{scheme}://...: not a valid address.") from None


def _host(parts: SplitResult) -> str:
    """Host and port, without user and password."""
    return parts.netloc.rpartition("@")[2]
