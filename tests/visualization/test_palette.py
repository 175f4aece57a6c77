import itertools

import numpy as np
import pytest

from lanenet_sad.lanes.slots import ego_slots
from lanenet_sad.visualization.palette import slot_color

# Machado, Oliveira and Fernandes 2009, severity 1.0, for linear RGB.
BLINDNESS = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


def see(color: tuple[int, int, int], blindness: str) -> np.ndarray:
    linear = (np.array(color) / 255) ** 2.2
    return np.clip(np.array(BLINDNESS[blindness]) @ linear, 0, 1) ** (1 / 2.2) * 255


@pytest.mark.parametrize("num_lanes", [1, 2, 3, 4, 5, 6])
def test_slots_have_different_colours(num_lanes: int) -> None:
    colors = [slot_color(slot, num_lanes) for slot in (*range(1, num_lanes + 1), None)]
    assert len(set(colors)) == num_lanes + 1


@pytest.mark.parametrize("blindness", list(BLINDNESS))
def test_colours_stay_apart_for_colour_blind_people(blindness: str) -> None:
    seen = [see(slot_color(slot), blindness) for slot in range(1, 5)]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 40


@pytest.mark.parametrize(("num_lanes", "slots"), [(2, (1, 2)), (4, (2, 3)), (5, (2, 3)), (6, (3, 4))], ids=str)
def test_ego_lines_keep_their_colours(num_lanes: int, slots: tuple[int, int]) -> None:
    assert ego_slots(num_lanes) == slots
    assert [slot_color(slot, num_lanes) for slot in slots] == [slot_color(2, 4), slot_color(3, 4)]


def test_many_slots_have_a_colour_each() -> None:
    assert all(len(slot_color(slot, 20)) == 3 for slot in range(1, 21))
