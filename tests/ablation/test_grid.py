"""Grid files: what they say, what is refused, and when two runs are the same."""

from pathlib import Path

import pytest
import yaml

from lanenet_sad import cli
from lanenet_sad.ablation.grid import find_grid, put, read_grid
from lanenet_sad.train import train

CONFIGS = Path(cli.__file__).parent / "configs"
GRIDS = sorted((CONFIGS / "ablations").glob("*.yaml"))


def write_grid(folder: Path, **changes) -> Path:
    content = {
        "title": "Small",
        "base": "base.yaml",
        "seeds": [0, 1],
        "baseline": "none",
        "rows": {"slow": {"schedule.max_steps": 9}, "none": {}, "taught": {"distillation": ["${teacher}"]}},
        **changes,
    }
    base = {"benchmark": "culane", "distillation": [], "schedule": {"max_steps": 6}, "runtime": {"num_workers": 0}}
    (folder / "base.yaml").write_text(yaml.safe_dump(base))
    path = folder / "grid.yaml"
    path.write_text(yaml.safe_dump({name: value for name, value in content.items() if value is not None}))
    return path


def test_a_grid_is_rows_times_seeds_with_the_baseline_first(tmp_path):
    runs = read_grid(write_grid(tmp_path)).runs()
    assert [(run.row, run.seed) for run in runs] == [
        (row, seed) for seed in (0, 1) for row in ("none", "slow", "taught")
    ]
    assert runs[0].configuration["schedule"] == {"max_steps": 6}
    assert runs[1].configuration["schedule"] == {"max_steps": 9}
    assert runs[4].configuration["seed"] == 1


def test_the_digest_names_what_a_result_depends_on(tmp_path):
    first = {run.row: run for run in read_grid(write_grid(tmp_path)).runs() if run.seed == 0}
    assert len({run.digest for run in first.values()}) == 3
    again = write_grid(tmp_path, settings={"runtime.num_workers": 4, "cadence.log_every": 7}, rows={"other name": {}})
    changed = write_grid(tmp_path, baseline=None, settings={"schedule.max_steps": 7}, rows={"none": {}})
    assert read_grid(changed).runs()[0].digest != first["none"].digest
    again.write_text(yaml.safe_dump({**yaml.safe_load(again.read_text()), "settings": {"runtime.num_workers": 4}}))
    assert read_grid(again).runs()[0].digest == first["none"].digest


@pytest.mark.parametrize(
    "settings",
    [{"runtime.precision": "bf16-mixed"}, {"runtime.devices": 4}, {"cadence.max_val_images": 5}, {"loss": {"a": 1}}],
    ids=str,
)
def test_settings_that_change_a_score_change_the_digest(tmp_path, settings):
    plain = read_grid(write_grid(tmp_path)).runs()[0]
    assert read_grid(write_grid(tmp_path, settings=settings)).runs()[0].digest != plain.digest


def test_values_are_filled_in_and_missing_ones_named(tmp_path):
    path = write_grid(tmp_path)

    def taught(**values: str):
        return next(run for run in read_grid(path, values=values).runs() if run.row == "taught")

    assert taught().missing == ("teacher",)
    assert (taught(teacher="t.pt").missing, taught(teacher="t.pt").configuration["distillation"]) == ((), ["t.pt"])
    one, same, other = (tmp_path / name for name in ("one", "same", "other"))
    for file, text in ((one, "weights"), (same, "weights"), (other, "other weights")):
        file.write_text(text)
    assert taught(teacher=str(one)).digest == taught(teacher=str(same)).digest
    assert taught(teacher=str(one)).digest != taught(teacher=str(other)).digest


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rows": None}, "the key 'rows' is missing"),
        ({"row": {}}, "unknown key 'row'"),
        ({"rows": ["none"]}, "expected rows as"),
        ({"baseline": "nothing"}, "the baseline 'nothing' is none of its rows none, slow, taught"),
        ({"seeds": [0, 0]}, "different whole numbers as seeds, got"),
        ({"seeds": []}, "one or more"),
        ({"seeds": 3}, "one or more different whole numbers as seeds, got 3"),
        ({"seeds": [True]}, "one or more"),
        ({"settings": ["a"]}, "expected settings as `name: value`, got list"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_other_files_are_refused(tmp_path, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_grid(write_grid(tmp_path, **changes))


def test_files_that_are_not_there_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no shipped grid has that name.*methods, normalization, paths"):
        find_grid(Path("nonsense"))
    with pytest.raises(FileNotFoundError, match="its base 'gone' is neither"):
        read_grid(write_grid(tmp_path, base="gone"))
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [")
    with pytest.raises(ValueError, match="not readable as YAML"):
        read_grid(broken)
    broken.write_text("- a")
    with pytest.raises(ValueError, match="expected a YAML mapping, got list"):
        read_grid(broken)


def test_dotted_names_reach_into_mappings_and_leave_their_origin_alone():
    origin = {"schedule": {"max_steps": 6}}
    changed = dict(origin)
    put(changed, "schedule.power", 0)
    put(changed, "view.input_size", [8, 8])
    assert changed == {"schedule": {"max_steps": 6, "power": 0}, "view": {"input_size": [8, 8]}}
    assert origin == {"schedule": {"max_steps": 6}}


def test_a_mapping_is_laid_over_the_one_that_is_there_and_an_object_replaces_it():
    settings = {"schedule": {"max_steps": 6, "power": 1}, "model": {"class_path": "a", "init_args": {"b": 1}}}
    put(settings, "schedule", {"power": 0})
    put(settings, "model", {"class_path": "c"})
    assert settings == {"schedule": {"max_steps": 6, "power": 0}, "model": {"class_path": "c"}}


def test_rows_may_be_named_by_numbers(tmp_path):
    path = write_grid(tmp_path, baseline=0.1, rows={0.1: {}, 0.3: None})
    assert [run.row for run in read_grid(path, seeds=[7]).runs()] == ["0.1", "0.3"]


@pytest.mark.parametrize("path", GRIDS, ids=lambda path: path.stem)
def test_every_row_of_a_shipped_grid_is_an_experiment(path, tmp_path, monkeypatch):
    grid = read_grid(path, values={"teacher": "teacher.safetensors"})
    parser = cli.build_parser("train", train)
    for run in grid.runs():
        if run.seed == grid.seeds[0]:
            experiment = tmp_path / "row.yaml"
            experiment.write_text(yaml.safe_dump(run.configuration, sort_keys=False))
            parser.parse_args(["--config", str(experiment), "--root", "data", "--out", "runs"])
