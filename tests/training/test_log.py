import csv

import pytest

from lanenet_sad.training.log import MetricLog


def read(folder) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_new_column_comes_in_and_a_resumed_run_drops_what_it_repeats(tmp_path):
    with MetricLog(tmp_path) as log:
        log.write(1, {"loss": 2.0})
        log.write(2, {"loss": 1.0, "sad_2_3": 0.5})
        log.write(3, {"loss": 0.5})
    with MetricLog(tmp_path, start_step=2) as log:
        log.write(3, {"loss": 0.25})
    assert read(tmp_path) == [
        {"step": "1", "loss": "2", "sad_2_3": ""},
        {"step": "2", "loss": "1", "sad_2_3": "0.5"},
        {"step": "3", "loss": "0.25", "sad_2_3": ""},
    ]


def test_other_processes_write_nothing(tmp_path):
    with MetricLog(tmp_path, enabled=False) as log:
        log.write(1, {"loss": 2.0})
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_gets_the_same_figures(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with MetricLog(tmp_path) as log:
        log.write(7, {"loss": 2.5})
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    (event,) = events.Scalars("loss")
    assert (event.step, event.value) == (7, 2.5)


def test_without_tensorboard_there_is_the_csv_file_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with MetricLog(tmp_path) as log:
        log.write(1, {"loss": 2.0})
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]


def test_later_figures_of_a_step_join_its_row(tmp_path):
    with MetricLog(tmp_path) as log:
        log.write(6, {"loss": 2.0})
        assert log.lacks("val_score", 6)
        log.write(6, {"val_score": 0.5})
        assert not log.lacks("val_score", 6)
    assert read(tmp_path) == [{"step": "6", "loss": "2", "val_score": "0.5"}]
