"""A grid: one base experiment, rows that each change a few of its settings, and seeds."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lanenet_sad.lanes.files import read_text

_KEYS = {"title", "about", "base", "settings", "seeds", "baseline", "rows"}
_CONFIGS = Path(__file__).parents[1] / "configs"

# What a run's result does not depend on, or what is looked at apart from them; all else goes into its digest.
_INDIFFERENT = ("root", "out", "cadence", "runtime", "resume", "configuration")
_RUNTIME = {"precision": "32-true", "devices": 1}


@dataclass(frozen=True)
class PlannedRun:
    """One training run of a grid.

    Attributes:
        row: the row's name.
        seed: of everything random.
        configuration: a complete experiment, as `lanenet-sad train --config` reads it.
        digest: ten letters that two runs have in common if, and only if, they have the same settings and seed. Of a
            file given for ${name} its content counts, not its name. How often a run logs and writes does not count.
        missing: names of values that the row needs (`${teacher}`) and that nobody gave; it cannot be run then.
    """

    row: str
    seed: int
    configuration: dict[str, Any]
    digest: str
    missing: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """Name of the run's folder."""
        return f"{re.sub(r'[^A-Za-z0-9.-]+', '_', self.row).strip('_')}-seed{self.seed}-{self.digest}"


@dataclass(frozen=True)
class Grid:
    """What a grid file says.

    Attributes:
        title: heading of the report.
        about: a paragraph below it.
        base: the base experiment, complete.
        rows: for each row, in order, what it sets: dotted names or nested mappings.
        seeds: of the runs; each row is run once with each.
        baseline: the row with which the others are compared, seed by seed.
        values: for ${name} in texts.
    """

    title: str
    about: str
    base: Mapping[str, Any]
    rows: Mapping[str, Mapping[str, Any]]
    seeds: tuple[int, ...]
    baseline: str
    values: Mapping[str, str] = field(default_factory=dict)

    def runs(self) -> list[PlannedRun]:
        """All runs, seed by seed, so that an unfinished table has all rows for its first seeds."""
        rows = sorted(self.rows, key=lambda name: name != self.baseline)  # the others may branch off the baseline
        return [self._run(row, seed) for seed in self.seeds for row in rows]

    def _run(self, row: str, seed: int) -> PlannedRun:
        configuration = copy.deepcopy(dict(self.base))
        for name, value in self.rows[row].items():
            put(configuration, name, value)
        configuration["seed"] = seed
        missing: set[str] = set()
        filled = _filled(configuration, self.values, missing)
        contents = {name: _content(value) for name, value in self.values.items()}
        digest = _digest(_filled(configuration, contents, set()))
        return PlannedRun(row, seed, filled, digest, tuple(sorted(missing)))


def read_grid(path: Path, *, seeds: Sequence[int] | None = None, values: Mapping[str, str] | None = None) -> Grid:
    """Read a grid file.

    Args:
        path: YAML: title, about, base (an experiment file, or the name of a shipped one), settings (common to all
            rows), seeds, baseline, rows. Text of the form ${name} in it is replaced by `values`.
        seeds: instead of the file's.
        values: for ${name}.

    Raises:
        FileNotFoundError: no such grid or base.
        ValueError: the file is not such a grid; says what was expected.
    """
    content = _read_mapping(path, "Grid")
    unknown, absent = sorted(set(content) - _KEYS), sorted({"base", "rows"} - set(content))
    if unknown or absent:
        what = f"unknown key {unknown[0]!r}" if unknown else f"the key {absent[0]!r} is missing"
        raise ValueError(f"Grid {path}: {what}; a grid has {', '.join(sorted(_KEYS))}.")
    rows, settings = content["rows"], content.get("settings") or {}
    if not isinstance(rows, dict) or not rows or not all(isinstance(row or {}, dict) for row in rows.values()):
        raise ValueError(f"Grid {path}: expected rows as `name: {{setting: value}}`, at least one.")
    if not isinstance(settings, dict):
        raise ValueError(f"Grid {path}: expected settings as `name: value`, got {type(settings).__name__}.")
    rows = {str(name): {str(key): value for key, value in (row or {}).items()} for name, row in rows.items()}
    baseline = str(content.get("baseline", next(iter(rows))))
    if baseline not in rows:
        raise ValueError(f"Grid {path}: the baseline {baseline!r} is none of its rows {', '.join(rows)}.")
    base = _base(str(content["base"]), path)
    for name, value in settings.items():
        put(base, str(name), value)
    listed = content.get("seeds", [0]) if seeds is None else list(seeds)
    numbers = listed if isinstance(listed, list) and all(type(seed) is int for seed in listed) else []
    if not numbers or len(set(numbers)) != len(numbers):
        raise ValueError(f"Grid {path}: expected one or more different whole numbers as seeds, got {listed}.")
    return Grid(
        title=str(content.get("title", path.stem)),
        about=str(content.get("about", "")).strip(),
        base=base,
        rows=rows,
        seeds=tuple(numbers),
        baseline=baseline,
        values=dict(values or {}),
    )


def find_grid(name: Path) -> Path:
    """A grid by path, or by its name among the shipped ones."""
    for candidate in (name, _CONFIGS / "ablations" / f"{name}.yaml"):
        if candidate.is_file():
            return candidate
    shipped = ", ".join(sorted(path.stem for path in (_CONFIGS / "ablations").glob("*.yaml")))
    raise FileNotFoundError(f"Grid {str(name)!r}: no such file, and no shipped grid has that name ({shipped}).")


def put(configuration: dict[str, Any], name: str, value: Any) -> None:
    """Set a dotted name (`schedule.max_steps`) in nested mappings; what is not there yet is made.

    A mapping is laid over the one that is there, name by name; only an object with a `class_path` replaces it whole.
    """
    *owners, last = name.split(".")
    here = configuration
    for owner in owners:
        inner = here.get(owner)
        here[owner] = here = dict(inner) if isinstance(inner, Mapping) else {}
    if isinstance(value, Mapping) and isinstance(here.get(last), Mapping) and "class_path" not in value:
        here[last] = dict(here[last])
        for inner_name, inner_value in value.items():
            put(here[last], str(inner_name), inner_value)
    else:
        here[last] = copy.deepcopy(value)


def _base(name: str, grid: Path) -> dict[str, Any]:
    for candidate in (grid.parent / name, _CONFIGS / f"{name}.yaml"):
        if candidate.is_file():
            return _read_mapping(candidate, "Base experiment")
    raise FileNotFoundError(
        f"Grid {grid}: its base {name!r} is neither a file beside it nor the name of a shipped experiment."
    )


def _read_mapping(path: Path, what: str) -> dict[str, Any]:
    text = read_text(path, f"{what} {path}", "Give a YAML file, or the name of a shipped one.")
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{what} {path}: not readable as YAML ({' '.join(str(error).split())}).") from error
    if not isinstance(content, dict):
        raise ValueError(f"{what} {path}: expected a YAML mapping, got {type(content).__name__}.")
    return content


def _digest(configuration: Mapping[str, Any]) -> str:
    counted = {name: value for name, value in configuration.items() if name not in _INDIFFERENT}
    runtime = configuration.get("runtime") or {}
    counted |= {name: runtime.get(name, usual) for name, usual in _RUNTIME.items()}
    counted["max_val_images"] = (configuration.get("cadence") or {}).get("max_val_images")
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()[:10]


def _content(value: str) -> str:
    """What stands for a value in a digest: of a file, its content."""
    path = Path(value)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else value


def _filled(value: Any, values: Mapping[str, str], missing: set[str]) -> Any:
    """`value` with every ${name} in its texts replaced; names without a value are added to `missing`."""
    if isinstance(value, Mapping):
        return {name: _filled(each, values, missing) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, values, missing) for each in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        if match[1] not in values:
            missing.add(match[1])
        return values.get(match[1], match[0])

    return re.sub(r"\$\{(\w+)\}", replace, value)
