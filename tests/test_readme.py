"""Every command and every line of Python of the README runs."""

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from factories import make_picture, write_culane_root, write_picture, write_weights

from lanenet_sad.cli import main, parse
from lanenet_sad.datasets.synthetic import RenderedDrive
from lanenet_sad.inference.sinks import VideoSink
from lanenet_sad.lanes.files import CULaneListEntry, write_culane_list
from lanenet_sad.models.weights import load_weights

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def fenced(language: str, heading: str) -> str:
    """The code block of a language below a heading."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return "\n".join(re.findall(rf"```{language}\n(.*?)```", section, flags=re.DOTALL))


def run_lines(block: str, more: dict[str, str] | None = None) -> None:
    """Run the `lanenet-sad` lines of a block.

    `more` has words to add for a verb, or for a verb with its experiment, so that it takes seconds.
    """
    for line in filter(None, block.splitlines()):
        program, verb, *words = shlex.split(line, comments=True)
        assert program == "lanenet-sad"
        extra = (more or {}).get(" ".join((verb, *words[1:2])), (more or {}).get(verb, ""))
        assert main([verb, *words, *shlex.split(extra)]) == 0, line


def write_tusimple_root(root: Path) -> None:
    """TuSimple's layout with one picture for each label file."""
    rows = list(range(160, 720, 10))
    for name in ("label_data_0313.json", "label_data_0531.json", "label_data_0601.json", "test_label.json"):
        raw_file = f"clips/{Path(name).stem}/20.jpg"
        write_picture(root / raw_file, make_picture((720, 1280)))
        lanes = [[int(x) for x in np.linspace(600, edge, 56)] for edge in (300, 900)]
        label = {"raw_file": raw_file, "lanes": lanes, "h_samples": rows}
        (root / name).write_text(json.dumps(label) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    (folder / "data").mkdir()
    shutil.copytree(PROJECT / "data" / "sample", folder / "data" / "sample")
    return folder


def test_a_video_now(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    run_lines(fenced("bash", "Your video, now"))
    assert len((workplace / "lanes/lanes.jsonl").read_text().splitlines()) == 18


def test_step_by_step_and_then_the_python_lines(workplace, monkeypatch, capsys):
    monkeypatch.chdir(workplace)
    run_lines(fenced("bash", "Step by step"))
    assert (workplace / "runs/mini/images/lanes.jsonl").is_file()
    assert (workplace / "runs/mini/attention/0000.attention.mp4").is_file()
    shutil.copytree("data/mini/drives", "demo/benchmark/drives")
    capsys.readouterr()
    lines = fenced("python", "Eight lines of Python")
    assert len([line for line in lines.splitlines() if line]) == 8
    exec(compile(lines, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 25


def write_drive(path: Path, num_frames: int = 8) -> None:
    drive = RenderedDrive(1, 1, num_frames=num_frames, image_size=(180, 320), difficulty="easy")
    with VideoSink(path, fps=drive.fps, size=(180, 320)) as sink:
        for image, _ in drive:
            sink.write(image)


def test_dashcam_video(workplace, monkeypatch, capsys):
    monkeypatch.chdir(workplace)
    write_drive(workplace / "drive.mp4")
    run_lines(fenced("bash", "Dashcam video"))
    assert (workplace / "lanes/drive.mp4").is_file()
    capsys.readouterr()
    exec(compile(fenced("python", "Dashcam video"), "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 8


def test_commands_of_the_page_about_video(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    write_drive(workplace / "drive.mp4")
    (workplace / "videos.txt").write_text("# mine\ndrive.mp4\n")
    page = (PROJECT / "docs/video.md").read_text(encoding="utf-8")
    run_lines("\n".join(re.findall(r"```bash\n(.*?)```", page, flags=re.DOTALL)))


def test_commands_of_the_page_about_metres_are_understood():
    page = (PROJECT / "docs/geometry.md").read_text(encoding="utf-8")
    commands = "".join(re.findall(r"```bash\n(.*?)```", page, flags=re.DOTALL)).splitlines()
    assert len(commands) == 3
    for command in commands:
        program, verb, *rest = shlex.split(command)
        assert program == "lanenet-sad"
        assert parse(verb, rest)["out"]


# A network of three steps finds nothing, of which `score` warns.
@pytest.mark.filterwarnings("ignore:No prediction file has", "ignore:Not one of the predicted lanes")
def test_commands_for_the_benchmarks(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    root = write_culane_root(workplace / "data" / "CULane", sizes=((590, 1640),) * 3)
    for number, name in enumerate(("train_gt", "val_gt", "test")):
        write_culane_list(root / f"list/{name}.txt", [CULaneListEntry(f"/clip/{number:05d}.jpg")])
    write_tusimple_root(workplace / "data" / "TuSimple")
    small = "--schedule.max-steps 3 --schedule.distillation-start 2 --batch-size 1 --runtime.num-workers 0"
    run_lines(fenced("bash", "CULane and TuSimple"), {"train": small, "evaluate": "--num-workers 0"})
    written = workplace / "runs/tusimple_enet_sad/test/predictions/predictions.json"
    assert json.loads(written.read_text())["raw_file"] == "clips/test_label/20.jpg"
    run_lines(fenced("bash", "Official scores, of any model"))
    assert json.loads((workplace / "runs/tusimple.json").read_text())["benchmark"] == "tusimple"
    assert (workplace / "runs/culane_enet_sad/test/report/index.html").is_file()


def test_commands_for_other_teachers_and_networks(workplace, monkeypatch, capsys):
    monkeypatch.chdir(workplace)
    root = write_culane_root(workplace / "data" / "CULane", sizes=((590, 1640),) * 2)
    names = ["/clip/00000.jpg", "/clip/00001.jpg"]
    write_culane_list(root / "list/val_gt.txt", [CULaneListEntry(name) for name in names])
    write_culane_list(root / "list/test.txt", [CULaneListEntry(name) for name in names])
    small = "--schedule.max-steps 3 --schedule.distillation-start 2 --batch-size 2 --runtime.num-workers 0"
    small += " --view.input-size 48 128"
    fixed = f"{small} --model.input-size=[48,128]"
    more = {
        "train": small,
        "train culane_enet_byot": fixed,
        "evaluate": "--num-workers 0 --noise-seeds 1",
        "ablate": "--report-only",
    }
    run_lines(fenced("bash", "Other teachers, other networks"), more)
    assert len((workplace / "runs/byot/lanes/lanes.jsonl").read_text().splitlines()) == 18
    tables = {path.name for path in (workplace / "runs/byot/test").glob("*.md")}
    assert {"exits.md", "weight_noise.md"} <= tables
    report = (workplace / "ablations/methods/report.md").read_text()
    assert re.search(r"^\| KD \| 0 of 3 \|", report, flags=re.MULTILINE)


def test_commands_for_own_roads(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    for n, size in enumerate(((360, 640), (720, 1280), (90, 200), (360, 640), (180, 320))):
        write_picture(workplace / "my_pictures" / f"{n}.jpg", make_picture(size, seed=n))
    monkeypatch.setattr(
        "lanenet_sad.inference.predictor.SHIPPED_WEIGHTS", write_weights(workplace / "shipped.safetensors")
    )
    small = "--schedule.max-steps 3 --batch-size 1 --runtime.num-workers 0"
    run_lines(fenced("bash", "Your own roads"), {"train": small, "evaluate": "--num-workers 0"})
    assert json.loads((workplace / "runs/own/val/score.json").read_text())["num_images"] == 2
    assert len(list((workplace / "my_labels").rglob("*.json"))) == 5
    assert load_weights(workplace / "runs/two_lines/best.safetensors")[0].num_lanes == 2


def test_sad_on_a_network_of_ones_own():
    names: dict[str, object] = {}
    exec(compile(fenced("python", "SAD here"), "README.md", "exec"), names)
    shallow, middle, deep = names["features"]
    assert set(names["losses"]) == {"sad_1_2", "sad_2_3"}
    assert shallow.grad.abs().sum() > 0
    assert middle.grad.abs().sum() > 0
    assert deep.grad is None


def test_the_commands_of_the_other_blocks_are_what_make_and_pip_run():
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    for line in fenced("bash", "Two commands").splitlines():
        assert f"\n{line.split()[1]}:" in makefile
    assert "install $(PIP_ARGS) --constraint constraints.txt" in makefile
    pinned = (PROJECT / "constraints.txt").read_text(encoding="utf-8")
    display = re.search(r"opencv-python==(\S+)", fenced("bash", "Install"))
    assert display
    assert f"opencv-python=={display[1]}\n" in pinned
    assert f"opencv-python-headless=={display[1]}\n" in pinned


def test_every_file_the_readme_points_to_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("https://"):
            assert (PROJECT / target).is_file(), target


def test_every_figure_is_filled_in():
    assert "DEMO_" not in README
    assert re.search(r"seed 0, commit [0-9a-f]{7}", README)
