"""Colours of lanes, as RGB. They stay apart for colour-blind people and on asphalt, snow and dusk.

The hues follow Okabe and Ito, "Color Universal Design" (2008), brightened for the two lines of the ego lane; left
lanes are warm, right lanes are cool.
"""

from __future__ import annotations

from typing import TypeAlias

from lanenet_sad.lanes.slots import ego_slots

Color: TypeAlias = tuple[int, int, int]

EGO_AREA: Color = (38, 208, 164)
UNASSIGNED: Color = (240, 240, 240)

_LEFT: tuple[Color, ...] = ((255, 92, 20), (240, 178, 30), (214, 126, 176))
_RIGHT: tuple[Color, ...] = ((20, 148, 255), (16, 190, 140), (126, 206, 250))


def slot_color(slot: int | None, num_lanes: int = 4) -> Color:
    """The colour of a lane slot: the two ego lines strongest, then outwards; further out the colours repeat.

    Args:
        slot: 1-based, counted left to right; None gives a neutral white.
        num_lanes: L, how many slots there are.
    """
    if slot is None:
        return UNASSIGNED
    left, right = ego_slots(num_lanes)
    return _LEFT[(left - slot) % len(_LEFT)] if slot <= left else _RIGHT[(slot - right) % len(_RIGHT)]
