"""Command-line words and experiment files -> a verb's keyword arguments, read off its typed signature.

jsonargparse builds the parser from the signature; this file adds the habits that people expect of a command
line: hyphens in option names, bare flags (`--show`, `--no-progress`), several values after a list option
(`--iou 0.5 0.75`), and positional words for a verb's positional parameters.
"""

from __future__ import annotations

import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any


def build_parser(verb: str, function: Callable[..., Any]) -> Any:
    """The jsonargparse parser of a verb."""
    import jsonargparse

    jsonargparse.set_parsing_settings(subclasses_enabled=_classes(typing.get_type_hints(function)))
    parser = jsonargparse.ArgumentParser(prog=f"lanenet-sad {verb}", exit_on_error=False, allow_abbrev=False)
    names = inspect.signature(function).parameters
    if "configuration" in names:
        parser.add_argument("--config", action="config", help=f"a YAML file, or one of {shipped_names()}")
    ours: set[str | int] = {name for name in names if name == "configuration"}
    parser.add_function_arguments(function, as_positional=False, skip=ours)
    return parser


def instantiate(parser: Any, configuration: Any, function: Callable[..., Any]) -> dict[str, Any]:
    """The keyword arguments of a verb's function, with their objects built, from a parsed configuration."""
    if "seed" in configuration and "model" in configuration:
        import torch

        torch.manual_seed(configuration.seed)  # the network is built, hence initialised, by `instantiate`
    objects = parser.instantiate(configuration)
    names = inspect.signature(function).parameters
    keywords = {name: value for name, value in objects.items() if name in names}
    if "configuration" in names:
        keywords["configuration"] = parser.dump(configuration, skip_unset=False)
    return keywords


def positional_names(function: Callable[..., Any]) -> list[str]:
    """Parameters that are given as plain words: those before the `*` of the signature."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]


def normalize_words(words: Sequence[str], function: Callable[..., Any]) -> list[str]:
    """Common command-line habits -> what jsonargparse reads.

    `--batch-size 4` -> `--batch_size=4`; `--show` -> `--show=true`; `--no-progress` -> `--progress=false`;
    `--iou 0.5 0.75` -> `--iou=[0.5,0.75]`; a bare word -> the next positional parameter.
    """
    hints = typing.get_type_hints(function)
    waiting = positional_names(function)
    remaining = list(words)
    result = []
    while remaining:
        word = remaining.pop(0)
        if not word.startswith("--"):
            if not waiting:
                raise ValueError(f"Command line: unexpected word {word!r}; {_way_out(function)}")
            result.append(f"--{waiting.pop(0)}={word}")
            continue
        name, has_value, value = word[2:].partition("=")
        path = name.replace("-", "_")
        owner, dot, last = path.rpartition(".")
        positive = f"{owner}{dot}{last.removeprefix('no_')}"
        if positive != path and _is_flag(_nested_hint(hints, positive)):
            result.append(f"--{positive}=false")
            continue
        hint = _nested_hint(hints, path)
        if path == "print_config" or path.endswith(".help"):  # these may stand alone, and end the program
            alone = not has_value and (not remaining or remaining[0].startswith("--") or path == "print_config")
            result.append(f"--{path}" if alone else f"--{path}={value or remaining.pop(0)}")
            continue
        if not has_value:
            value = _take_value(remaining, hint, name)
        elif hint is not None and _is_list(hint) and not value.startswith("["):
            value = _as_json_list([value], hint)
        if path == "config":
            value = str(find_config(value))
        result.append(f"--{path}={value}")
    return result


def find_config(name: str) -> Path:
    """A YAML file by path, or by its name among the shipped experiments."""
    shipped = Path(__file__).parent / "configs"
    for candidate in (Path(name), shipped / f"{name}.yaml"):
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(
        f"Configuration {name!r}: no such file, and no shipped experiment has that name ({shipped_names()})."
    )


def shipped_names() -> str:
    """The names of the experiments in the package."""
    return ", ".join(sorted(path.stem for path in (Path(__file__).parent / "configs").glob("*.yaml")))


def help_text(parser: Any, function: Callable[..., Any]) -> str:
    """Jsonargparse's help in the spelling that `normalize_words` accepts."""
    text = re.sub(r"(?<![\w.])--[\w.]+", lambda match: match[0].replace("_", "-"), parser.format_help())
    text = text.replace(" {true,false}", "").replace(" [ITEM,...]", " ITEM ...")
    text = re.sub(r"<class '(\w+)'>", r"\1", text)
    for name in re.findall(r"--([\w.-]+)(?:(?!\n +--)[\s\S])*?\(type:\s+bool,\s+default:\s+True\)", text):
        owner, dot, last = name.rpartition(".")
        text = re.sub(rf"--{re.escape(name)}(?![\w.-])", f"--{owner}{dot}no-{last}", text)
        text = re.sub(rf"(\n +--{re.escape(owner + dot)}no-{re.escape(last)}\s+)", r"\1switch off: ", text)
    text = re.sub(r"\s+\(type:\s+bool,\s+default:\s+(True|False)\)", "", text)
    for name in positional_names(function):
        option = f"--{name.replace('_', '-')} {name.upper()}"
        text = text.replace(f"[{option}]", name.upper()).replace(option, name.upper())
    return str(text)


def _way_out(function: Callable[..., Any]) -> str:
    """What to do where there is a word too many."""
    if "source" in positional_names(function):
        return (
            "one SOURCE is expected, and a shell makes many words of a pattern such as *.mp4: put it in quotes, or "
            "name the folder, or a text file with a source a line. Options start with --."
        )
    return "options start with --, and several values for a part of the experiment are written [a,b]."


def _take_value(remaining: list[str], hint: Any, name: str) -> str:
    if hint is not None and _is_flag(hint):
        follows = bool(remaining) and remaining[0].lower() in ("true", "false")
        return remaining.pop(0).lower() if follows else "true"
    if hint is not None and _is_list(hint):
        if remaining and remaining[0].startswith("["):
            return remaining.pop(0)
        values = []
        while remaining and not remaining[0].startswith("--"):
            values.append(remaining.pop(0))
        if not values:
            raise ValueError(f"--{name}: expected one or more values behind it.")
        return _as_json_list(values, hint)
    if not remaining or remaining[0].startswith("--"):
        raise ValueError(f"--{name}: expected a value behind it.")
    return remaining.pop(0)


def _as_json_list(values: list[str], hint: Any) -> str:
    if all(set(typing.get_args(one)) <= {str, Ellipsis} for one in _alternatives(hint) if _is_list(one)):
        return json.dumps(values)  # 2024 is the name of a folder there, no number

    def literal(value: str) -> Any:
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value

    return json.dumps([literal(value) for value in values])


def _nested_hint(hints: dict[str, Any], path: str) -> Any:
    """The type of `schedule.max_steps` and the like, where dataclasses tell; None where only the parser knows."""
    first, *rest = path.split(".")
    hint = hints.get(first)
    for name in rest:
        owners = [one for one in _alternatives(hint) if isinstance(one, type)] if hint is not None else []
        hint = next((typing.get_type_hints(o)[name] for o in owners if name in typing.get_type_hints(o)), None)
    return hint


def _alternatives(hint: Any) -> list[Any]:
    """The members of a union, or the type alone."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [one for one in typing.get_args(hint) if one is not type(None)]
    return [hint]


def _classes(hints: dict[str, Any]) -> list[Any]:
    """Classes of ours in a signature, final ones too, whose builder a YAML file may name by `class_path`."""
    found, waiting = [], list(hints.values())
    while waiting:
        hint = waiting.pop()
        waiting += [one for part in typing.get_args(hint) for one in (part if isinstance(part, list) else [part])]
        if isinstance(hint, type) and hint.__module__.startswith("lanenet_sad.") and not is_dataclass(hint):
            found.append(hint)
    return found


def _is_flag(hint: Any) -> bool:
    return hint is not None and _alternatives(hint) == [bool]


def _is_list(hint: Any) -> bool:
    origins = {typing.get_origin(one) for one in _alternatives(hint)}
    return bool(origins & {tuple, list, Sequence})
