"""The command line: one verb per module; what a verb says becomes an exit code."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from lanenet_sad import __version__
from lanenet_sad.command_line import build_parser, help_text, instantiate, normalize_words

VERBS = {
    "synthesize": "write a synthetic lane benchmark, and short drives as video, to disk",
    "train": "train a lane network, with self attention distillation after its warm-up",
    "evaluate": "network -> lanes -> the official score of a benchmark",
    "score": "prediction files of any model against label files: the official score, without torch",
    "check": "every list, label and picture of a dataset, looked at before a long run",
    "predict": "draw and write the lanes of an image, a folder, a video or a camera",
    "calibrate": "how a camera sees the road, from chessboard pictures or from the lanes of a drive",
    "attention": "draw the attention map of every encoder block",
    "ablate": "train a grid of variants with several seeds and compare them in one table",
    "convert": "own labels -> a dataset to train on; other programs' checkpoints -> weight files of ours",
    "demo": "the whole story in minutes on a CPU: synthesize, train, evaluate, predict, attention",
}
EXIT_FAULT = 2
EXIT_INTERRUPTED = 130


def main(words: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code: 0 done, 2 bad input or faults on the way, 130 after Ctrl-C."""
    words = list(sys.argv[1:] if words is None else words)
    # Threads that wait for work sleep instead of spinning; on a shared machine that is faster by far.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if not words or words[0] in ("-h", "--help"):
        print(overview())
        return 0 if words else EXIT_FAULT
    if words[0] == "--version":
        print(f"lanenet-sad {__version__}")
        return 0
    verb, *rest = words
    if verb not in VERBS:
        print(f"lanenet-sad: no verb named {verb!r}; there are {', '.join(VERBS)}.", file=sys.stderr)
        return EXIT_FAULT
    return run(verb, rest)


def run(verb: str, words: Sequence[str]) -> int:
    """Parse `words` for `verb`, run it and turn what it says into an exit code."""
    try:
        with warnings.catch_warnings(), _terminable():
            warnings.showwarning = _show_warning
            keywords = parse(verb, words)
            result = load_verb(verb)(**keywords)
    except KeyboardInterrupt:
        sys.unraisablehook = lambda _: None  # what dying worker processes still say is of no use to anyone
        print(f"\nlanenet-sad {verb}: interrupted; what was finished stays on disk.", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (ValueError, OSError, ImportError) as error:
        if os.environ.get("LANENET_SAD_TRACEBACK"):
            raise
        print(f"lanenet-sad {verb}: {error}", file=sys.stderr)
        return EXIT_FAULT
    except RuntimeError as error:
        reason = _reason_of_resources(error)
        if reason is None or os.environ.get("LANENET_SAD_TRACEBACK"):
            raise
        print(f"lanenet-sad {verb}: {reason}", file=sys.stderr)
        return EXIT_FAULT
    faults: Sequence[str] = getattr(result, "faults", ())
    for fault in faults:
        print(f"lanenet-sad {verb}: {fault}", file=sys.stderr)
    return EXIT_FAULT if faults else 0


def overview() -> str:
    """The text of `lanenet-sad --help`."""
    rows = "\n".join(f"  {verb:<12} {line}" for verb, line in VERBS.items())
    return (
        f"lanenet-sad {__version__}: lane detection with self attention distillation\n\n"
        f"usage: lanenet-sad VERB [options]\n\n{rows}\n\n`lanenet-sad VERB --help` lists a verb's options."
    )


def load_verb(verb: str) -> Callable[..., Any]:
    """The public function of a verb's module; only that module is imported."""
    function: Callable[..., Any] = getattr(importlib.import_module(f"lanenet_sad.{verb}"), verb)
    return function


def parse(verb: str, words: Sequence[str]) -> dict[str, Any]:
    """Command-line words -> the keyword arguments of the verb's function."""
    function = load_verb(verb)
    parser = build_parser(verb, function)
    if any(word in ("-h", "--help") for word in words):
        print(help_text(parser, function))
        raise SystemExit(0)
    try:
        configuration = parser.parse_args(normalize_words(words, function))
    except argparse.ArgumentError as error:
        raise ValueError(f"{error}. `lanenet-sad {verb} --help` lists the options.") from error
    return instantiate(parser, configuration, function)


def _reason_of_resources(error: RuntimeError) -> str | None:
    """A sentence for what the machine, not our code, did wrong; None for anything else."""
    text = str(error).splitlines()[0] if str(error) else ""
    if text.startswith("DataLoader worker"):
        return f"a process that reads images was ended from outside ({text}); try fewer workers, or 0."
    if "out of memory" in text.lower():
        return f"{text} Try a smaller batch or input."
    return None


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    """A warning is a sentence for the user; where in our code it arose is not."""
    print(f"lanenet-sad: warning: {message}", file=sys.stderr)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends a verb as Ctrl-C does: what is finished is closed and kept."""

    def interrupt(number: int, frame: types.FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


if __name__ == "__main__":
    raise SystemExit(main())
