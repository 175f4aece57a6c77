"""The lanes of many videos over a cluster, with Ray Data: `python examples/fleet_ray.py videos/ --out lanes`.

Every video is one piece of work, because lines keep their identity from its first frame to its last. Each process of
the cluster holds one `Predictor` and takes the next video when it is done with one. Of each video it writes

* `<name>.lanes.jsonl`: the lanes of every frame (docs/outputs.md);
* `<name>.summary.json`: what was found, its events and faults; written last, so that it stands for a finished video.

Started again, it passes over finished videos, unless they or the settings have changed. docs/fleet.md says more.

Needs `pip install "lanenet-sad[fleet]"` on every machine; nothing is fetched at run time.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2

from lanenet_sad.inference.lanes_jsonl import LanesJsonl
from lanenet_sad.inference.pipeline import LanePipeline
from lanenet_sad.inference.predictor import Predictor
from lanenet_sad.inference.resume import finished_source, identity_of_file
from lanenet_sad.inference.run_summary import RunSummary, SourceSummary, SummaryBuilder
from lanenet_sad.inference.source_files import LIST_SUFFIXES, list_folder, read_source_list
from lanenet_sad.inference.video_files import VIDEO_SUFFIXES
from lanenet_sad.lanes.files import replacing

if TYPE_CHECKING:
    import ray.data

_MOST_ATTEMPTS = 2  # a video whose process was ended from outside so often is not tried again in this run


def list_videos(sources: Sequence[str]) -> list[Path]:
    """Videos by their names, those in folders and their subfolders, and those that text files list, each once.

    Whether a video is there is not looked at: what is wrong with it is said in its row.

    Raises:
        FileNotFoundError: there is no such list.
        ValueError: there is no video.
    """
    found: list[Path] = []
    for source in sources:
        is_list = Path(source).suffix.lower() in LIST_SUFFIXES
        for path in map(Path, read_source_list(Path(source)) if is_list else [source]):
            if path.is_dir():
                found += [file for file in list_folder(path) if file.suffix.lower() in VIDEO_SUFFIXES]
            else:
                found.append(path)
    videos = list(dict.fromkeys(path.absolute() for path in found))
    if not videos:
        known = " ".join(sorted(VIDEO_SUFFIXES))
        raise ValueError(f"{' '.join(sources)}: expected at least one video, a file that ends in one of {known}.")
    return videos


def output_names(videos: Sequence[Path]) -> list[str]:
    """What each video's files are called: its own name, and where several share one, something from its path too."""
    counts = Counter(video.stem.lower() for video in videos)
    return [
        video.stem
        if counts[video.stem.lower()] == 1
        else f"{video.stem}-{blake2b(str(video).encode(errors='surrogateescape'), digest_size=4).hexdigest()}"
        for video in videos
    ]


def plan(videos: Sequence[Path], out: Path, weights: str = "") -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """What is left to do, the longest file first so that none is left over at the end, and the rows of the rest."""
    tasks, rows = [], []
    for video, name in zip(videos, output_names(videos), strict=True):
        settings = _settings(video, weights)
        lanes_file = _lanes_path(out, name)
        done = finished_source(_summary_path(out, name), settings, results=[lanes_file])
        if done is not None:
            rows.append(_row(str(video), done.num_frames, done.num_lanes, done.faults, lanes_file=lanes_file))
        else:
            tasks.append({"path": str(video), "name": name, "settings": json.dumps(settings)})
            _attempts_path(out, name).unlink(missing_ok=True)
    tasks.sort(key=lambda task: identity_of_file(Path(task["path"])).get("bytes", 0), reverse=True)
    return tasks, rows


def find_lanes(task: dict[str, str], out: Path, predictor: Predictor, *, batch_size: int = 1) -> dict[str, Any]:
    """Work through one video and write its two files; whatever goes wrong becomes a fault of its row."""
    path, name, settings = task["path"], task["name"], json.loads(task["settings"])
    summary = SummaryBuilder(path).finish(seconds=0.0, finished=False)
    try:
        _count_attempt(task, out)
        summary = _follow(path, _lanes_path(out, name), predictor, batch_size)
        if summary.frames:
            RunSummary((summary,), weights=settings["weights"], settings=settings).write(_summary_path(out, name))
        faults = list(summary.faults)
    except Exception as error:
        faults = [*summary.faults, _sentence(path, error)]
    _attempts_path(out, name).unlink(missing_ok=True)
    lanes_file = _lanes_path(out, name) if summary.frames else None
    return _row(path, summary.frames, summary.lanes, faults, seconds=summary.seconds, lanes_file=lanes_file)


def _follow(path: str, lanes_path: Path, predictor: Predictor, batch_size: int) -> SourceSummary:
    """Writes the lanes of a video; what ends it early is a fault of the summary, beside those of the video."""
    started = time.perf_counter()
    builder = SummaryBuilder(path, num_lanes=predictor.network.num_lanes)
    pipeline = LanePipeline(path, predictor=predictor, batch_size=batch_size)
    reasons = []
    try:
        # Not `with pipeline`: that starts one more process, and here each core has its own already.
        with pipeline.source, LanesJsonl(lanes_path) as lines, closing(iter(pipeline)) as found:
            for frame, prediction in found:
                lines.write(frame, prediction)
                builder.add(frame, prediction)
    except Exception as error:
        reasons = [_sentence(path, error)]
    builder.add_events(pipeline.closing_events)
    return builder.finish(
        seconds=time.perf_counter() - started,
        stages=pipeline.clock.seconds,
        faults=[*pipeline.source.faults, *reasons],
        finished=not reasons,
    )


def _sentence(path: str, error: Exception) -> str:
    """What went wrong; a defect of ours, too, costs one video and not the fleet's night."""
    return str(error) if isinstance(error, ValueError | OSError) else f"{path}: {type(error).__name__}: {error}"


class LaneFinder:
    """What each process of the cluster holds: one network, loaded once."""

    def __init__(self, out: str, weights: str | None, device: str, batch_size: int) -> None:
        self.out, self.batch_size = Path(out), batch_size
        cv2.setNumThreads(1)  # the other cores have processes of their own
        self.predictor = Predictor.from_weights(Path(weights) if weights else None, device=device)

    def __call__(self, task: dict[str, str]) -> dict[str, Any]:
        """The row of one video."""
        return find_lanes(task, self.out, self.predictor, batch_size=self.batch_size)


def find_all_lanes(tasks: Sequence[dict[str, str]], words: argparse.Namespace) -> ray.data.Dataset:
    """The dataset of rows, one for each task; nothing is done before it is read. Ray is running."""
    import ray
    import ray.data

    cluster = ray.cluster_resources()
    # Ray hides the GPUs from a process that asks for none.
    has_use = words.device != "cpu" and cluster.get("GPU", 0) >= 1
    num_gpus = (1.0 if has_use else 0.0) if words.gpus is None else words.gpus
    per_process = {"CPU": words.cpus, "GPU": num_gpus}
    fitting = [int(cluster.get(kind, 0) // need) for kind, need in per_process.items() if need]
    num_processes = min([words.processes or len(tasks), len(tasks), *fitting])
    if num_processes < 1:
        raise ValueError(
            f"The cluster has {cluster.get('CPU', 0):g} CPUs and {cluster.get('GPU', 0):g} GPUs, and one process needs "
            f"{words.cpus:g} and {num_gpus:g}; choose other --cpus and --gpus."
        )
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    settings = ray.data.DataContext.get_current()
    settings.max_errored_blocks = -1  # what is lost on the way costs one video, which is then told as a fault
    settings.enable_progress_bars = False
    # One video in flight for each process: a second one would wait behind a long one while others have nothing to do.
    pool = ray.data.ActorPoolStrategy(size=num_processes, max_tasks_in_flight_per_actor=1)
    return ray.data.from_items(list(tasks), override_num_blocks=len(tasks)).map(
        LaneFinder,
        fn_constructor_args=(str(words.out), words.weights, words.device, words.batch_size),
        compute=pool,
        num_cpus=words.cpus,
        num_gpus=num_gpus,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives the exit code, 2 if there were faults."""
    words = _parser().parse_args(arguments)
    # The cluster's processes have working folders of their own.
    words.out, words.weights = words.out.resolve(), words.weights and str(Path(words.weights).resolve())
    try:
        videos = list_videos(words.sources)
        tasks, rows = plan(videos, words.out, words.weights or "")
        print(f"{len(videos)} videos, {len(rows)} of them finished before")
        if tasks:
            rows += _run(tasks, words)
        _write_rows(words.out / "videos.jsonl", videos, rows)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted; started again, it goes on where it stopped.", file=sys.stderr)
        return 130
    faults = [fault for row in rows for fault in row["faults"]]
    for fault in faults:
        print(fault, file=sys.stderr)
    frames, lanes = (sum(row[name] for row in rows) for name in ("frames", "lanes"))
    print(f"{frames} frames, {lanes} lanes, {len(faults)} faults; see {words.out / 'videos.jsonl'}")
    return 2 if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fleet_ray.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("sources", nargs="+", help="videos, folders of videos, .txt files that list videos")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results, seen by all machines")
    parser.add_argument("--weights", help="weight file, seen by all machines; default: the weights in the package")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--batch-size", type=int, default=1, help="frames that the network takes at a time")
    parser.add_argument("--address", help="of a running cluster, or auto; default: start Ray on this machine alone")
    parser.add_argument("--processes", type=int, help="at most so many; default: as many as the cluster has room for")
    parser.add_argument("--cpus", type=float, default=1, help="CPUs of one process")
    parser.add_argument(
        "--gpus", type=float, help="GPUs of one process, 0.5 for two on each; default: 1 if there are any"
    )
    return parser


def _run(tasks: Sequence[dict[str, str]], words: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of all tasks, told as they come."""
    # Nothing is reported to anyone, and no dashboard is served.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    here = {} if words.address else {"include_dashboard": False}
    ray.init(address=words.address, log_to_driver=False, logging_level=logging.WARNING, **here)
    rows = []
    try:
        for row in find_all_lanes(tasks, words).iter_rows():
            rows.append({**row, "faults": list(row["faults"])})
            print(f"{row['path']}: {row['frames']} frames, {row['lanes']} lanes, {row['seconds']:.1f} s", flush=True)
    except ray.exceptions.RayError as error:
        # A network that cannot be loaded ends here; its reason is the last line of a long report.
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(f"The cluster's processes do not start, or are lost: {reason}") from error
    finally:
        ray.shutdown()
    answered = {row["path"] for row in rows}
    for task in tasks:
        if task["path"] not in answered:
            fault = (
                f"{task['path']}: no row came back from the cluster; start again, and look at Ray's logs if it repeats."
            )
            rows.append(_row(task["path"], 0, 0, [fault]))
    return rows


def _write_rows(path: Path, videos: Sequence[Path], rows: Sequence[dict[str, Any]]) -> None:
    """All rows in the order of the videos, one a line."""
    order = {str(video): number for number, video in enumerate(videos)}
    lines = [json.dumps(row) + "\n" for row in sorted(rows, key=lambda row: order[row["path"]])]
    with replacing(path) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def _row(
    path: str, frames: int, lanes: int, faults: Sequence[str], *, seconds: float = 0.0, lanes_file: Path | None = None
) -> dict[str, Any]:
    """A video's row; `seconds` are 0 for one that was finished before."""
    return {
        "path": path,
        "frames": frames,
        "lanes": lanes,
        "faults": list(faults),
        "seconds": round(seconds, 3),
        "lanes_file": str(lanes_file or ""),
    }


def _count_attempt(task: dict[str, str], out: Path) -> None:
    """Notes that a video was begun, since Ray begins it anew whenever its process dies, be it for that video."""
    path = _attempts_path(out, task["name"])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        if file.tell() >= _MOST_ATTEMPTS:
            raise ValueError(
                f"{task['path']}: its process was ended from outside {_MOST_ATTEMPTS} times; is there enough memory, "
                f"and can ffmpeg decode the file?"
            )
        file.write(b".")


def _lanes_path(out: Path, name: str) -> Path:
    return out / f"{name}.lanes.jsonl"


def _summary_path(out: Path, name: str) -> Path:
    return out / f"{name}.summary.json"


def _attempts_path(out: Path, name: str) -> Path:
    return out / f"{name}.attempts"


def _settings(video: Path, weights: str) -> dict[str, Any]:
    """What a video is finished with; another file of that name, or other weights, begin it anew."""
    versions = [identity_of_file(Path(file)) for file in (video, weights) if file]
    return {"file": str(video), "weights": weights or "shipped", "versions": versions}


if __name__ == "__main__":
    sys.exit(main())
