"""Which lane line belongs to which slot of the network's output."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lanenet_sad.lanes.curves import fit_polynomial, sample_at_rows
from lanenet_sad.lanes.lane import Lane, Points

# How much of a lane's height, from its near end, says where it is heading when it is extended to the bottom row.
NEAR_SHARE = 0.3


def bottom_crossing(lane: Lane, image_height: int) -> float:
    """Where a lane line crosses the bottom row of its image, in pixels from the left.

    A line that ends above the bottom row is extended straight on from its nearest 30 %; one that lies in a
    single row counts where its first point is.

    Raises:
        ValueError: the lane has no points.
    """
    points = _finite_points(lane)
    if len(points) == 0:
        raise ValueError("Bottom crossing of a lane: expected at least one point, got none.")
    bottom = image_height - 1.0
    inside = sample_at_rows(points, [bottom])[0]
    if not np.isnan(inside):
        return float(inside)
    highest, lowest = points[:, 1].min(), points[:, 1].max()
    if highest == lowest:
        return float(points[0, 0])
    near_rows = np.linspace(lowest, lowest - NEAR_SHARE * (lowest - highest), 8)
    if lowest > bottom:  # the whole line lies below the image
        near_rows = np.linspace(highest, highest + NEAR_SHARE * (lowest - highest), 8)
    near = np.stack([sample_at_rows(points, near_rows), near_rows], axis=1)
    return float(fit_polynomial(near, degree=1)(bottom))


def assign_slots(lanes: Sequence[Lane], image_size: tuple[int, int], num_lanes: int) -> list[Lane]:
    """Gives lanes their slots by geometry, see `slots_by_geometry`.

    Returns:
        The lanes that fit into the slots, left to right; those beyond the outermost slots and those without
        points are left out.
    """
    slots = slots_by_geometry(lanes, image_size, num_lanes)
    known = [Lane(lane.points, slot, lane.confidence) for lane, slot in zip(lanes, slots, strict=True) if slot]
    return sorted(known, key=lambda lane: lane.slot or 0)


def slots_by_geometry(lanes: Sequence[Lane], image_size: tuple[int, int], num_lanes: int) -> list[int | None]:
    """The slots of labelled lanes that come without any.

    The camera is taken to look straight ahead from the middle of the car: of the lines that cross the bottom row
    left of the picture's centre, the nearest is the ego lane's left one and gets slot `num_lanes // 2`, the next
    one further left the slot below, and so on; to the right likewise from `num_lanes // 2 + 1` up. For 4 slots
    that is CULane's far left, left, right, far right; for 6 TuSimple's three and three. An odd number has one
    slot more on the right.

    Args:
        lanes: in any order, in pixels; any slots that they have are ignored.
        image_size: (height, width) of their image.
        num_lanes: L, how many slots there are.

    Returns:
        One per lane; None for lanes beyond the outermost slots and for those without points.
    """
    crossings = _crossings(lanes, image_size)
    centre = (image_size[1] - 1) / 2
    first = num_lanes // 2 + 1 - sum(crossing < centre for crossing in crossings.values())
    slots: list[int | None] = [None] * len(lanes)
    for slot, index in enumerate(crossings, first):
        slots[index] = slot if 1 <= slot <= num_lanes else None
    return slots


def slots_by_existence(
    lanes: Sequence[Lane], image_size: tuple[int, int], existence: Sequence[int]
) -> list[int | None] | None:
    """The slots of labelled lanes whose list has existence flags: the k-th lane from the left is the k-th flag set.

    Returns:
        One per lane; None if there are not as many lanes with points as flags set.
    """
    crossings = _crossings(lanes, image_size)
    flagged = [slot for slot, exists in enumerate(existence, 1) if exists]
    if len(flagged) != len(crossings):
        return None
    slots: list[int | None] = [None] * len(lanes)
    for slot, index in zip(flagged, crossings, strict=True):
        slots[index] = slot
    return slots


def ego_slots(num_lanes: int) -> tuple[int, int]:
    """The slots of the lines left and right of the own car."""
    return num_lanes // 2, num_lanes // 2 + 1


def slot_origins(num_lanes: int, origin_lanes: int) -> dict[int, int]:
    """Which slots mean the same line in two networks of different lane counts, counted from the ego lane outwards.

    Args:
        num_lanes: slots of the one network.
        origin_lanes: slots of the other.

    Returns:
        Slot of the one -> slot of the other, left to right; outer slots that only one of them has are left out. From
        4 to 6 slots it is {2: 1, 3: 2, 4: 3, 5: 4}.
    """
    shift = origin_lanes // 2 - num_lanes // 2
    return {slot: slot + shift for slot in range(1, num_lanes + 1) if 1 <= slot + shift <= origin_lanes}


def _crossings(lanes: Sequence[Lane], image_size: tuple[int, int]) -> dict[int, float]:
    """Index -> bottom crossing of every lane that has points, left to right."""
    crossings = {i: bottom_crossing(lane, image_size[0]) for i, lane in enumerate(lanes) if len(_finite_points(lane))}
    return dict(sorted(crossings.items(), key=lambda item: item[1]))


def _finite_points(lane: Lane) -> Points:
    """The points without those that a label file wrote too large for single precision."""
    return lane.points[np.isfinite(lane.points).all(axis=1)]
