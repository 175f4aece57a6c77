"""Running a grid: what is skipped, what branches off, what a failure leaves; a small program stands for `train`."""

import shutil
import sys
import time
from pathlib import Path

import pytest

from lanenet_sad.ablation.grid import Grid
from lanenet_sad.ablation.results import note_start, read_results
from lanenet_sad.ablation.runner import GridRunner, failure_path, find_folder, shared_prefix

SAD = {"class_path": "lanenet_sad.distillation.SelfAttentionDistillation", "init_args": {"weight": 0.1}}
BYOT = {"class_path": "lanenet_sad.distillation.BeYourOwnTeacher"}
BASE = {
    "schedule": {"max_steps": 6},
    "cadence": {"validate_every": 6},
    "distillation": [],
    "loss": {"iou_weight": 0.1},
}
ROWS = {
    "none": {},
    "SAD": {"distillation": [SAD]},
    "early": {"distillation": [SAD], "schedule.distillation_start": 2},
    "at once": {"distillation": [SAD], "schedule.distillation_start": 0},
    "BYOT": {"distillation": [BYOT]},
    "both": {"distillation": [SAD, BYOT]},
    "other loss": {"distillation": [SAD], "loss.iou_weight": 0.2},
}
TRAIN = """
import sys, yaml
from pathlib import Path
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
experiment, out = yaml.safe_load(open(words["--config"])), Path(words["--out"])
if experiment.get("fails"):
    sys.exit("the sentence that says why")
out.mkdir(parents=True, exist_ok=True)
state = out / "last.pt"
origin = state.read_text() if state.is_file() else "fresh"
state.write_text(origin + "+" + str(experiment["seed"]))
for step in experiment["cadence"]["keep_states"]:
    (out / f"state_{step}.pt").write_text(f"state of {out.name} at {step}")
(out / "metrics.csv").write_text(f"step,val_score\\n6,0.{experiment['seed'] + 5}\\n")
"""

SLEEPER = """
import signal, sys, time
from pathlib import Path
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
told = []
signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
(Path(words["--out"]) / "ready").touch()
while not told:
    time.sleep(0.01)
(Path(words["--out"]) / "signals").write_text(" ".join(map(str, told)))
"""


def wait_for_children(runner: GridRunner, count: int) -> None:
    """Stands for waiting for runs; Ctrl-C comes when so many have started."""
    deadline = time.monotonic() + 60
    while len(list(runner.runs_dir.glob("*/ready"))) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    raise KeyboardInterrupt


def make_grid(rows=ROWS, seeds=(0,)) -> Grid:
    return Grid("", "", BASE, rows, seeds, "none")


@pytest.fixture
def runner(tmp_path):
    program = tmp_path / "train.py"
    program.write_text(TRAIN)
    runs = tmp_path / "runs"
    return GridRunner(tmp_path, runs, runs / "results.csv", jobs=2, command=(sys.executable, str(program)))


def test_only_imitation_alone_shares_the_baselines_first_part():
    runs = make_grid(seeds=(0, 1)).runs()
    shared = {run.row: shared_prefix(run, runs, "none") for run in runs if run.seed == 1}
    assert {row: prefix[1] for row, prefix in shared.items() if prefix} == {"SAD": 4, "early": 2}
    assert all(prefix[0].seed == 1 and prefix[0].row == "none" for prefix in shared.values() if prefix)


def test_no_part_is_shared_where_a_best_score_may_stem_from_it():
    rows = {"none": {}, "SAD": {"distillation": [SAD]}}
    often = Grid("", "", {**BASE, "cadence": {"validate_every": 2}}, rows, (0,), "none")
    assert [shared_prefix(run, often.runs(), "none") for run in often.runs()] == [None, None]


def test_runs_branch_off_the_baselines_states(runner):
    grid = make_grid()
    runner.do(grid.runs(), "none")
    results = {result.row: result for result in read_results(runner.results_path).values()}
    assert {row: result.branched_from for row, result in results.items()} == {
        **dict.fromkeys(ROWS, 0),
        "SAD": 4,
        "early": 2,
    }
    folders = {run.row: runner.runs_dir / run.folder for run in grid.runs()}
    assert (folders["early"] / "last.pt").read_text() == f"state of {folders['none'].name} at 2+0"
    assert (folders["BYOT"] / "last.pt").read_text() == "fresh+0"
    assert runner.faults == []


def test_finished_runs_are_not_done_again_even_without_their_folders(runner):
    grid = make_grid({"none": {}, "BYOT": {"distillation": [BYOT]}}, seeds=(0, 1))
    runner.do(grid.runs(), "none")
    before = {run.folder: (runner.runs_dir / run.folder / "last.pt").read_text() for run in grid.runs()}
    gone = grid.runs()[0].folder
    (runner.runs_dir / gone / "last.pt").unlink()
    (runner.runs_dir / gone / "metrics.csv").unlink()
    runner.do(grid.runs(), "none")
    assert not (runner.runs_dir / gone / "last.pt").exists()
    for folder, text in before.items():
        assert folder == gone or (runner.runs_dir / folder / "last.pt").read_text() == text
    assert len(read_results(runner.results_path)) == 4


def test_a_finished_folder_gives_its_result_without_training(runner):
    (run,) = make_grid({"none": {}}).runs()
    folder = runner.runs_dir / run.folder
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text("step,val_score\n6,0.75\n")
    runner.do([run], "none")
    assert [result.score for result in read_results(runner.results_path).values()] == [0.75]
    assert not (folder / "last.pt").exists()


def test_an_interrupted_run_goes_on_and_a_failed_one_leaves_its_sentence(runner):
    grid = make_grid({"none": {}, "broken": {"fails": True}, "BYOT": {"distillation": [BYOT]}})
    none = grid.runs()[0]
    (runner.runs_dir / none.folder).mkdir(parents=True)
    (runner.runs_dir / none.folder / "last.pt").write_text("half")
    runner.do(grid.runs(), "none")
    assert (runner.runs_dir / none.folder / "last.pt").read_text() == "half+0"
    (fault,) = runner.faults
    assert "broken, seed 0: the run ended with exit code 1: the sentence that says why" in fault
    (broken,) = (run for run in grid.runs() if run.row == "broken")
    assert failure_path(runner.runs_dir, broken).read_text() == "the sentence that says why"
    assert {result.row for result in read_results(runner.results_path).values()} == {"none", "BYOT"}


def test_rows_that_need_a_value_are_left_out(runner):
    rows = {"none": {}, "KD": {"distillation": [{"class_path": "KD", "init_args": {"teacher_weights": "${teacher}"}}]}}
    runner.do(make_grid(rows).runs(), "none")
    assert {Path(result.row).name for result in read_results(runner.results_path).values()} == {"none"}


def test_a_run_of_another_grid_is_found_by_its_settings(runner):
    (run,) = make_grid({"none": {}}).runs()
    (again,) = Grid("", "", BASE, {"other name": {}}, (0,), "other name").runs()
    runner.do([run], "none")
    assert find_folder(runner.runs_dir, again) == runner.runs_dir / run.folder
    state = runner.runs_dir / run.folder / "last.pt"
    runner.results_path.unlink()
    runner.do([again], "other name")
    assert state.read_text() == "fresh+0"  # its result was read off the folder
    assert len(read_results(runner.results_path)) == 1


def test_an_interrupt_ends_the_running_ones_once_and_starts_no_more(runner, tmp_path, monkeypatch):
    sleeper = tmp_path / "sleeper.py"
    sleeper.write_text(SLEEPER)
    runner.command = (sys.executable, str(sleeper))
    monkeypatch.setattr("lanenet_sad.ablation.runner.wait", lambda *_, **__: wait_for_children(runner, 2))
    with pytest.raises(KeyboardInterrupt):
        runner.do(
            make_grid({name: {"loss.iou_weight": n} for n, name in enumerate(["none", "a", "b", "c"])}).runs(), "none"
        )
    told = sorted(runner.runs_dir.glob("*/signals"))
    assert [path.read_text() for path in told] == ["15", "15"]
    assert runner.faults == []
    assert read_results(runner.results_path) == {}


def test_nothing_is_run_where_a_folder_was_begun_on_other_data(runner):
    grid = make_grid({"none": {}, "BYOT": {"distillation": [BYOT]}})
    (run,) = (run for run in grid.runs() if run.row == "BYOT")
    runner.data = "one"
    (runner.runs_dir / run.folder).mkdir(parents=True)
    note_start(runner.runs_dir / run.folder, "another")
    with pytest.raises(ValueError, match="it was begun on other data"):
        runner.do(grid.runs(), "none")
    assert [path.name for path in runner.runs_dir.iterdir()] == [run.folder]


def test_a_branched_run_names_the_sources_of_its_first_part(runner, monkeypatch):
    monkeypatch.setattr("lanenet_sad.ablation.results.current_commit", lambda: "of the baseline")
    rows = {"none": {}, "SAD": {"distillation": [SAD]}}
    (none, sad) = make_grid(rows).runs()
    runner.do([none, sad], "none")
    runner.results_path.unlink()
    shutil.rmtree(runner.runs_dir / sad.folder)
    monkeypatch.setattr("lanenet_sad.ablation.results.current_commit", lambda: "of the branch")
    runner.do([none, sad], "none")
    commits = {result.row: result.commit for result in read_results(runner.results_path).values()}
    assert commits == {"none": "of the baseline", "SAD": "of the baseline, of the branch"}
