"""Refusals of settings that make no sense, in the same words for every method."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, get_args


def check_choice(owner: str, name: str, value: str, choices: Any) -> None:
    """Refuses a value that is not one of a `Literal`'s; `owner` and `name` say whose setting it is."""
    known: Collection[str] = get_args(choices)
    if value not in known:
        raise ValueError(f"{owner} {name}: expected {' | '.join(known)}, got {value!r}.")


def check_weights(owner: str, weights: dict[str, float]) -> None:
    """Refuses a negative weight."""
    for name, weight in weights.items():
        if not weight >= 0:
            raise ValueError(f"{owner} {name}: expected 0 or more, got {weight}.")


def check_positive(owner: str, name: str, value: float) -> None:
    """Refuses 0 and less."""
    if not value > 0:
        raise ValueError(f"{owner} {name}: expected more than 0, got {value}.")


def check_pairs(
    owner: str, pairs: Sequence[tuple[int, int]], student_blocks: int, teacher_blocks: int
) -> tuple[tuple[int, int], ...]:
    """Pairs (student block, teacher block), 1-based, all of them there and each once."""
    checked = tuple((int(student), int(teacher)) for student, teacher in pairs)
    if not checked:
        raise ValueError(f"{owner} pairs: expected at least one (student block, teacher block), got none.")
    for pair in checked:
        for who, block, count in zip(("student", "teacher"), pair, (student_blocks, teacher_blocks), strict=True):
            if not 1 <= block <= count:
                raise ValueError(f"{owner} pair {pair}: the {who} has blocks 1 to {count}, not {block}.")
    if len(set(checked)) != len(checked):
        raise ValueError(f"{owner} pairs: expected each pair once, got {checked}.")
    return checked
