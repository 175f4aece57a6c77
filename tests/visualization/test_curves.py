from pathlib import Path

import numpy as np
import pytest

from lanenet_sad.lanes.lane import Image
from lanenet_sad.visualization.curves import axis_ticks, plot_training, read_metrics, short_number

BLUE, ORANGE, VERMILION = (0, 114, 178), (230, 159, 0), (213, 94, 0)
PANEL = (100, 200)
LEFT, TOP, LOWER_TOP = 62, 34 + 30, 34 + 30 + 100 + 30  # of the two panels of the first column


def write_metrics(path: Path, rows: list[str], columns: str = "step,loss") -> Path:
    path.write_text("\n".join([columns, *rows]) + "\n")
    return path


def write_run(path: Path, support: float = 1000.0, share: str = "0.05") -> Path:
    """A run of 100 steps whose distillation acts from step 50 on, with a constant support of E2."""
    rows = [f"{step},{support},{share if step >= 50 else ''}" for step in range(0, 101, 10)]
    return write_metrics(path, rows, "step,support_2,distillation_loss_share")


def places(image: Image, color: tuple[int, int, int], top: int, left: int = LEFT) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns, relative to a panel, of the pixels that have a colour."""
    panel = image[top : top + PANEL[0], left : left + PANEL[1]].astype(int)
    return np.nonzero(np.abs(panel - color).max(axis=-1) < 30)


def test_size_follows_from_the_number_of_runs(tmp_path: Path) -> None:
    paths = {f"run {number}": write_run(tmp_path / f"{number}.csv") for number in range(3)}
    one, three = (plot_training(dict(list(paths.items())[:count]), panel_size=PANEL) for count in (1, 3))
    assert one.dtype == np.uint8
    assert one.shape[0] == three.shape[0] == 34 + 2 * 130 + 44
    assert three.shape[1] - one.shape[1] == 2 * (PANEL[1] + 36)
    assert (one[:, 0] == 255).all()


def test_a_curve_runs_where_its_values_are(tmp_path: Path) -> None:
    image = plot_training({"run": write_run(tmp_path / "m.csv")}, panel_size=PANEL)
    rows, columns = places(image, BLUE, TOP)  # the support of E2: constant, over all steps
    assert abs(rows.mean() - 49.5) < 2  # alone in its logarithmic range, hence in the middle
    assert np.ptp(rows) <= 2
    assert (columns.min(), columns.max()) == (pytest.approx(0, abs=3), pytest.approx(199, abs=3))
    rows, columns = places(image, BLUE, LOWER_TOP)  # the share of the loss: 5 % from step 50 on
    assert columns.min() == pytest.approx(100, abs=3)
    assert abs(rows.mean() - (100 - 100 / 1.1)) < 2


def test_all_columns_have_one_logarithmic_scale(tmp_path: Path) -> None:
    paths = {f"{support}": write_run(tmp_path / f"{support}.csv", support) for support in (1.0, 100.0, 10000.0)}
    image = plot_training(paths, panel_size=PANEL)
    heights = [places(image, BLUE, TOP, LEFT + column * (PANEL[1] + 36))[0].mean() for column in range(3)]
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=1)
    assert heights[0] - heights[2] > 0.9 * PANEL[0]


def test_the_first_step_of_distillation_is_marked(tmp_path: Path) -> None:
    late = plot_training({"run": write_run(tmp_path / "late.csv")}, panel_size=PANEL)
    rows = [f"{step},0.05" for step in range(0, 101, 10)]
    path = write_metrics(tmp_path / "always.csv", rows, "step,distillation_loss_share")
    always = plot_training({"run": path}, panel_size=PANEL)
    middle = [image[LOWER_TOP : LOWER_TOP + 100, LEFT + 98 : LEFT + 102].min(axis=(1, 2)) for image in (late, always)]
    dotted = [(column < 215).sum() for column in middle]
    assert 30 < dotted[0] < 80
    assert dotted[1] < 6  # nothing but the curve and the axis


def test_a_run_without_distillation_says_so_and_does_not_stretch_the_others(tmp_path: Path) -> None:
    plain = write_metrics(tmp_path / "none.csv", ["0,1", "100,2"])
    run = write_run(tmp_path / "sad.csv")
    alone, both = (plot_training(paths, panel_size=PANEL) for paths in ({"SAD": run}, {"SAD": run, "none": plain}))
    np.testing.assert_array_equal(both[TOP:-44, : LEFT + 100], alone[TOP:-44, : LEFT + 100])
    second = both[TOP + 35 : TOP + 65, LEFT + PANEL[1] + 36 + 50 : LEFT + PANEL[1] + 36 + 150]
    assert (second.min(axis=-1) < 190).sum() > 50  # "not logged"
    assert plot_training({"none": plain}, panel_size=PANEL).shape == alone.shape


@pytest.mark.parametrize("broken", ["nan", "inf", "-3", "0", ""])
def test_values_that_cannot_be_drawn_are_left_out(tmp_path: Path, broken: str) -> None:
    rows = ["0,500", f"50,{broken}", "100,500"]
    whole, holed = (
        plot_training({"run": write_metrics(tmp_path / f"{len(part)}.csv", part, "step,support_2")}, panel_size=PANEL)
        for part in (["0,500", "100,500"], rows)
    )
    np.testing.assert_array_equal(whole, holed)


def test_one_value_is_a_dot(tmp_path: Path) -> None:
    path = write_metrics(tmp_path / "m.csv", ["1,700,", "40,,0.5"], "step,support_3,distillation_gradient_share")
    image = plot_training({"run": path}, panel_size=PANEL)
    assert len(places(image, ORANGE, TOP)[0]) > 10
    assert len(places(image, VERMILION, LOWER_TOP)[0]) > 10


def test_long_titles_stay_in_their_column(tmp_path: Path) -> None:
    run = write_run(tmp_path / "m.csv")
    image = plot_training({"a very long title of a run " * 6: run, "b": run}, panel_size=PANEL)
    between = image[:34, LEFT + PANEL[1] + 2 : LEFT + PANEL[1] + 34]
    assert (between == 255).all()
    assert image[:34, LEFT : LEFT + PANEL[1]].min() < 150


def test_a_real_log_is_drawn() -> None:
    path = Path(__file__).parents[2] / "docs/experiments/roads/stage1_metrics.csv"
    image = plot_training({"stage 1": path}, panel_size=PANEL)
    rows, columns = places(image, BLUE, TOP)
    before, after = rows[columns < 120].mean(), rows[columns > 160].mean()
    assert before - after > 5  # E2 looks at more pixels once SAD acts


@pytest.mark.parametrize(
    ("low", "high", "logarithmic", "expected"),
    [
        (0, 100, False, [0, 20, 40, 60, 80, 100]),
        (0, 0.09, False, [0, 0.02, 0.04, 0.06, 0.08]),
        (547, 4200, True, [1000, 2000, 3000, 4000]),
        (40, 4200, True, [100, 300, 1000, 3000]),
        (0.8, 3000, True, [1, 10, 100, 1000]),
        (690, 730, True, [690, 700, 710, 720, 730]),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, logarithmic: bool, expected: list[float]) -> None:
    assert axis_ticks(low, high, logarithmic=logarithmic) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.25, "0.25"), (750, "750"), (4000, "4000"), (20000, "20k"), (1.5e6, "1.5M")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert short_number(value) == text


def test_metrics_are_read_by_row(tmp_path: Path) -> None:
    path = write_metrics(tmp_path / "m.csv", ["1,0.5,", "2,,3"], "step,loss,val_score")
    assert read_metrics(path) == [{"step": 1, "loss": 0.5}, {"step": 2, "val_score": 3}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a table with a column 'step', got None"),
        ("loss,iou\n1,2\n", r"a column 'step', got \['loss', 'iou'\]"),
        ("step,loss\n", "there is no row"),
        ("step,loss\n,0.5\n", "there is no row"),
        ("step,loss\n1,0.5\n2,high\n", "line 3: expected numbers"),
        ("step,loss\n1,2,3\n", "line 2: expected numbers"),
    ],
    ids=["empty", "no-step", "no-row", "no-step-in-row", "text", "too-many"],
)
def test_files_that_are_no_metrics_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(ValueError, match=f"m.csv.*{message}"):
        plot_training({"run": tmp_path / "m.csv"})


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"m\.csv: there is no such file"):
        plot_training({"run": tmp_path / "m.csv"})
    with pytest.raises(ValueError, match="expected one run or more"):
        plot_training({})
    with pytest.raises(ValueError, match="panels of at least 80x80 pixels"):
        plot_training({"run": write_run(tmp_path / "m.csv")}, panel_size=(40, 200))
