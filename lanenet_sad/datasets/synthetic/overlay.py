"""What recorders and publishers burn into pictures: date, speed, position, watermarks and logos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from lanenet_sad.datasets.synthetic.draws import chance, choose
from lanenet_sad.lanes.lane import Image

Rgb = tuple[int, int, int]
Place = Literal["bottom left", "bottom right", "bottom middle", "top left", "top right", "middle"]
Style = Literal["plain", "outlined", "boxed", "faint"]

_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_PLAIN,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX_SMALL,
    cv2.FONT_HERSHEY_TRIPLEX,
)
_PLACES: dict[Place, float] = {
    "bottom left": 4,
    "bottom right": 3,
    "bottom middle": 2,
    "top left": 1.5,
    "top right": 1.5,
}
_SYLLABLES = ("road", "cam", "drive", "vue", "dash", "pro", "view", "go", "trip", "lux", "via", "auto", "max", "tek")


@dataclass(frozen=True)
class Caption:
    """A line of text in the picture.

    Attributes:
        text: ASCII.
        place: where.
        style: how it stands out.
        colour: RGB 0..255.
        size: height of its letters as a share of the picture's height.
        font: one of OpenCV's.
    """

    text: str
    place: Place = "bottom left"
    style: Style = "outlined"
    colour: Rgb = (235, 235, 235)
    size: float = 0.035
    font: int = cv2.FONT_HERSHEY_SIMPLEX


def draw_captions(rng: np.random.Generator) -> tuple[Caption, ...]:
    """One or two recorder's lines, now and then with a publisher's watermark or logo."""
    captions: list[Caption] = []
    font, size = int(choose(rng, _FONTS)), float(rng.uniform(0.02, 0.055))
    colour = choose(rng, ((240, 240, 240), (250, 225, 60), (245, 245, 245), (120, 230, 120), (240, 120, 60)))
    style: Style = choose(rng, ("plain", "outlined", "boxed"), (3, 2, 1.5))
    places = list(_PLACES)
    for _ in range(1 + chance(rng, 0.35)):
        place = choose(rng, places, [_PLACES[place] for place in places])
        places = [other for other in places if other.split()[0] != place.split()[0]]
        captions.append(Caption(_recorder_text(rng), place, style, colour, size, font))
    if chance(rng, 0.2):
        where: Place = choose(rng, ("middle", *places), (3, *(1 for _ in places)))
        name = "".join(choose(rng, _SYLLABLES) for _ in range(int(rng.integers(2, 4)))).title()
        captions.append(Caption(name, where, "faint", (255, 255, 255), float(rng.uniform(0.05, 0.13)), _FONTS[2]))
    return tuple(captions)


def _recorder_text(rng: np.random.Generator) -> str:
    day, month, hour, minute, second = (int(v) for v in rng.integers((1, 1, 0, 0, 0), (29, 13, 24, 60, 60)))
    year, speed = 2012 + int(rng.integers(14)), int(rng.integers(0, 130))
    date = choose(
        rng, (f"{year}/{month:02d}/{day:02d}", f"{day:02d}-{month:02d}-{year}", f"{month:02d}/{day:02d}/{year}")
    )
    parts = [f"{date} {hour:02d}:{minute:02d}:{second:02d}"]
    if chance(rng, 0.35):
        parts.append(f"{rng.uniform(20, 60):.5f} {rng.uniform(-120, 120):.5f}")
    if chance(rng, 0.5):
        parts.append(f"{speed} {choose(rng, ('KM/H', 'MPH', 'km/h'))}")
    if chance(rng, 0.2):
        parts.append(choose(rng, _SYLLABLES).upper() + str(int(rng.integers(100, 9000))))
    first = 1 if len(parts) > 1 and chance(rng, 0.2) else 0
    return "  ".join(parts[first:])


def burn_in(picture: Image, captions: tuple[Caption, ...]) -> None:
    """Writes the captions into the picture, in place."""
    for caption in captions:
        _write(picture, caption)


def _write(picture: Image, caption: Caption) -> None:
    height, width = picture.shape[:2]
    (_, plain_height), _ = cv2.getTextSize("0", caption.font, 1.0, 1)
    scale = max(caption.size * height, 5.0) / max(plain_height, 1)
    (text_width, text_height), base = cv2.getTextSize(caption.text, caption.font, scale, 1)
    scale *= min(1.0, 0.96 * width / max(text_width, 1))
    (text_width, text_height), base = cv2.getTextSize(caption.text, caption.font, scale, 1)
    x, y = _corner(caption.place, (height, width), (text_height, text_width))
    thick = max(1, round(caption.size * height / 12))
    if caption.style == "boxed":
        low, high = (x - 3, y - text_height - 3), (x + text_width + 3, y + base)
        cv2.rectangle(picture, low, high, (8, 8, 8), -1)
    if caption.style == "outlined":
        cv2.putText(picture, caption.text, (x, y), caption.font, scale, (0, 0, 0), thick + 2, cv2.LINE_AA)
    if caption.style == "faint":
        layer = picture.copy()
        cv2.putText(layer, caption.text, (x, y), caption.font, scale, caption.colour, thick + 1, cv2.LINE_AA)
        cv2.addWeighted(layer, 0.4, picture, 0.6, 0, dst=picture)
        return
    cv2.putText(picture, caption.text, (x, y), caption.font, scale, caption.colour, thick, cv2.LINE_AA)


def _corner(place: Place, picture: tuple[int, int], text: tuple[int, int]) -> tuple[int, int]:
    """Column and row of the text's lower left corner."""
    (height, width), (text_height, text_width) = picture, text
    edge = max(2, round(0.015 * width))
    across = {"left": edge, "right": width - text_width - edge, "middle": (width - text_width) // 2}
    x = across[place.split()[-1]]
    if place == "middle":
        return x, (height + text_height) // 2
    return x, edge + text_height if place.startswith("top") else height - edge
