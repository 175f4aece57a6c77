import numpy as np
import pytest

from lanenet_sad.lanes.lane import Image
from lanenet_sad.lanes.view import InputView, Placement
from lanenet_sad.visualization.attention_grid import Normalization, attention_grid, draw_heat, normalize_map


def make_picture(height: int = 90, width: int = 160) -> Image:
    return np.random.default_rng(0).integers(60, 200, (height, width, 3), dtype=np.uint8)


def make_map(height: int = 9, width: int = 16) -> np.ndarray:
    return np.random.default_rng(1).random((height, width)) * 50 - 10


def test_minmax_by_hand() -> None:
    values = normalize_map(np.array([[2.0, 4.0], [6.0, 10.0]]))
    assert values.dtype == np.float32
    assert np.allclose(values, [[0, 0.25], [0.5, 1]])


def test_softmax_by_hand() -> None:
    values = normalize_map(np.log([[1.0, 2.0], [4.0, 8.0]]), "softmax")
    assert np.allclose(values, [[0.125, 0.25], [0.5, 1]])
    probabilities = np.array([1, 2, 4, 8]) / 15
    assert np.allclose(values.ravel() / values.sum(), probabilities)


def test_none_only_cuts_off() -> None:
    assert np.allclose(normalize_map(np.array([[-1.0, 0.3], [0.7, 2.0]]), "none"), [[0, 0.3], [0.7, 1]])


@pytest.mark.parametrize("kind", ["minmax", "softmax", "none"])
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1.0, 1e30], ids=str)
def test_any_finite_map_comes_to_0_1(kind: Normalization, scale: float) -> None:
    values = normalize_map(make_map() * scale, kind)
    assert np.isfinite(values).all()
    assert values.min() >= 0
    assert values.max() <= 1


def test_softmax_is_a_spike_where_minmax_shows_the_map() -> None:
    activations = make_map()
    assert (normalize_map(activations, "softmax") > 0.1).mean() < 0.1
    assert (normalize_map(activations) > 0.1).mean() > 0.8


@pytest.mark.parametrize(
    ("attention_map", "kind", "message"),
    [
        (np.array([[0.0, np.nan]]), "minmax", "not finite"),
        (np.array([[0.0, np.inf]]), "softmax", "not finite"),
        (np.zeros((2, 3, 4)), "minmax", r"expected an array of shape \(h, w\), got \(2, 3, 4\)"),
        (np.zeros((0, 4)), "minmax", r"got \(0, 4\)"),
        (np.zeros((2, 2)), "mean", "expected minmax, softmax or none, got 'mean'"),
    ],
    ids=["nan", "inf", "three-axes", "empty", "unknown-kind"],
)
def test_impossible_maps_are_refused(attention_map: np.ndarray, kind: Normalization, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        normalize_map(attention_map, kind)


def test_heat_is_where_the_map_is_hot() -> None:
    image, values = make_picture(), np.zeros((9, 16), np.float32)
    values[6, 4] = 1
    before = image.copy()
    drawn = draw_heat(image, values)
    assert np.array_equal(image, before)
    change = np.abs(drawn.astype(int) - image).mean(axis=-1)
    row, column = np.unravel_index(_blur(change).argmax(), change.shape)
    assert abs(row - 64.5) <= 6
    assert abs(column - 44.5) <= 6
    # Where the map is cold the picture only darkens: its structure stays.
    assert np.corrcoef(drawn[:40].ravel(), image[:40].ravel())[0, 1] > 0.99


def _blur(values: np.ndarray) -> np.ndarray:
    kernel = np.ones(7) / 7
    for axis in (0, 1):
        values = np.apply_along_axis(np.convolve, axis, values, kernel, mode="same")
    return values


@pytest.mark.parametrize("top", [-30, 0, 40, 89], ids=["above", "whole", "cropped", "last-row"])
def test_only_the_region_that_the_map_covers_is_painted(top: int) -> None:
    image = make_picture()
    drawn = draw_heat(image, normalize_map(make_map()), Placement(top, 90 - top, 160, (72, 160)))
    changed = (drawn != image).any(axis=-1)
    first = max(top, 0)
    assert not changed[:first].any()
    assert changed[first:].mean() > 0.95


def test_rows_above_the_picture_are_cut_off_the_map() -> None:
    image = make_picture()
    values = np.zeros((12, 16), np.float32)
    values[:3] = 1  # the quarter that lies above the picture
    drawn = draw_heat(image, values, Placement(-30, 120, 160, (96, 160)))
    cold = draw_heat(image, np.zeros((12, 16), np.float32), Placement(-30, 120, 160, (96, 160)))
    assert np.array_equal(drawn[10:], cold[10:])


def test_map_pixels_lie_where_the_view_says() -> None:
    view = InputView((64, 160), aspect=4.0)
    image = np.zeros((200, 320, 3), np.uint8)
    placement = view.place((200, 320))
    values = np.zeros((8, 20), np.float32)
    values[5, 12] = 1
    change = draw_heat(image, values, placement).astype(int).sum(axis=-1)
    change -= draw_heat(image, np.zeros((8, 20), np.float32), placement).astype(int).sum(axis=-1)
    rows, columns = np.mgrid[:200, :320]
    center = np.array([(columns * change).sum(), (rows * change).sum()]) / change.sum()
    expected = placement.to_image(np.array([[12.5 * 8 - 0.5, 5.5 * 8 - 0.5]]))[0]
    assert np.allclose(center, expected, atol=0.5)


@pytest.mark.parametrize(("num_blocks", "num_columns"), [(1, 1), (4, 1), (4, 2), (2, 3)], ids=str)
def test_grid_holds_every_map_at_its_place(num_blocks: int, num_columns: int) -> None:
    image = make_picture()
    maps = [[np.full((9, 16), 0.0) for _ in range(num_columns)] for _ in range(num_blocks)]
    maps[-1][-1] = np.full((9, 16), 1.0)
    grid = attention_grid(image, maps, normalization="none")
    cold, hot = (draw_heat(image, np.full((9, 16), value, np.float32)) for value in (0, 1))
    places = [
        (row, column)
        for row in range(grid.shape[0] - 89)
        for column in range(grid.shape[1] - 159)
        if np.array_equal(grid[row, column : column + 160], cold[0])
        and np.array_equal(grid[row : row + 90, column : column + 160], cold)
    ]
    assert len(places) == num_blocks * num_columns - 1
    assert any(
        np.array_equal(grid[row : row + 90, -166:-6], hot) for row in range(grid.shape[0] - 100, grid.shape[0] - 89)
    )


def test_large_pictures_are_shrunk_and_small_ones_left() -> None:
    maps = [[make_map()]]
    wide, small = attention_grid(make_picture(720, 1280), maps), attention_grid(make_picture(), maps)
    assert 640 < wide.shape[1] < 740
    assert 360 < wide.shape[0] < 390
    assert 160 < small.shape[1] < 220
    assert attention_grid(make_picture(720, 1280), maps, cell_width=320).shape[1] < 400


def test_shrinking_keeps_the_region() -> None:
    image = np.full((720, 1280, 3), 128, np.uint8)
    grid = attention_grid(image, [[make_map()]], placements=[Placement(360, 360, 1280, (288, 800))])
    cell = grid[-366:-6, -646:-6]
    assert (cell[:179] == 128).all()
    assert (cell[181:] != 128).any(axis=-1).mean() > 0.95


def test_titles_are_written() -> None:
    maps = [[make_map(), make_map()]]
    plain = attention_grid(make_picture(), maps)
    titled = attention_grid(make_picture(), maps, column_titles=("before SAD", "after SAD"))
    assert titled.shape[0] > plain.shape[0]
    header = titled[: titled.shape[0] - plain.shape[0]]
    assert (header[:, :200] > 150).any()
    assert (header[:, 200:] > 150).any()
    other = attention_grid(make_picture(), maps, row_titles=["E9"])
    assert (other != plain).any()


def test_a_network_without_a_block_leaves_its_place_empty() -> None:
    image, both = make_picture(), [[make_map(), make_map()], [make_map(), make_map()]]
    whole = attention_grid(image, both)
    holed = attention_grid(image, [both[0], [both[1][0], None]])
    changed = np.argwhere((whole != holed).any(axis=-1))
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert (bottom + 1, right + 1) == (whole.shape[0] - 6, whole.shape[1] - 6)
    assert (holed[top : bottom + 1, left : right + 1] == 18).all()
    assert (bottom + 1 - top, right + 1 - left) == (90, 160)


def test_long_column_titles_stay_above_their_column() -> None:
    maps = [[make_map(), make_map()]]
    plain = attention_grid(make_picture(), maps)
    titled = attention_grid(make_picture(), maps, column_titles=("a very long title of a checkpoint " * 4, "b"))
    header = titled[: titled.shape[0] - plain.shape[0]]
    assert (header[:, -166:-100] == 18).all()
    assert (header[:, -332:-172] > 60).any()


@pytest.mark.parametrize(
    ("maps", "titles", "message"),
    [
        ([], {}, "as many maps for every block"),
        ([[]], {}, "as many maps for every block"),
        ([[make_map()], [make_map(), make_map()]], {}, r"got \[1, 2\]"),
        ([[make_map()]], {"column_titles": ("a", "b")}, "expected 1 column titles"),
        ([[make_map()]], {"row_titles": ("a", "b")}, "expected 1 row titles"),
    ],
    ids=["no-blocks", "no-maps", "ragged", "column-titles", "row-titles"],
)
def test_maps_and_titles_must_fit(
    maps: list[list[np.ndarray]], titles: dict[str, tuple[str, ...]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        attention_grid(make_picture(), maps, **titles)
