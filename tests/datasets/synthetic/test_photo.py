from dataclasses import fields, replace
from typing import get_args

import numpy as np
import pytest

from lanenet_sad.datasets.synthetic.compression import Compression, compress
from lanenet_sad.datasets.synthetic.conditions import draw_photo
from lanenet_sad.datasets.synthetic.draws import scene_rng
from lanenet_sad.datasets.synthetic.glare import dazzle, mirror_wet, shine
from lanenet_sad.datasets.synthetic.grading import Grading, Look, grade
from lanenet_sad.datasets.synthetic.light import Light
from lanenet_sad.datasets.synthetic.overlay import Caption, Place, Style, burn_in, draw_captions
from lanenet_sad.datasets.synthetic.photo import Photo, develop
from lanenet_sad.datasets.synthetic.precipitation import add_rain, add_snow
from lanenet_sad.datasets.synthetic.render import render_scene
from lanenet_sad.datasets.synthetic.scene import draw_scene
from lanenet_sad.datasets.synthetic.shapes import Lamps
from lanenet_sad.datasets.synthetic.weather import draw_light, draw_weather
from lanenet_sad.datasets.synthetic.windscreen import Windscreen
from lanenet_sad.lanes.lane import Image

SIZE = (96, 256)


def make_road(level: int = 100) -> Image:
    """Grey noise with a bright sky and a white line."""
    rng = np.random.default_rng(3)
    image = rng.normal(level, 8, (*SIZE, 3)).clip(0, 255).astype(np.uint8)
    image[:30] = (150, 190, 230)
    image[30:, 120:126] = 235
    return image


QUIET = Photo(noise=0, blur=0, vignetting=0, compression=Compression(quality=100))


@pytest.mark.parametrize("change", [{}, {"noise": 9.0, "grain": 8.0}, {"motion": 3.0}, {"snowfall": 0.8}], ids=str)
def test_developing_is_a_function_of_the_generator(change: dict[str, float]) -> None:
    photo = replace(Photo(), **change)  # type: ignore[arg-type]
    first, again = (develop(make_road(), photo, scene_rng(1, 1)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.shape == (*SIZE, 3)
    assert first.dtype == np.uint8


def test_exposure_brings_the_road_to_the_wanted_brightness() -> None:
    for level in (50, 100, 170):
        lower = develop(make_road(level), replace(QUIET, brightness=115.0), scene_rng(0, 0))[48:]
        assert float(np.median(lower)) == pytest.approx(115, abs=12)


@pytest.mark.parametrize("name", [f.name for f in fields(Windscreen) if f.name not in ("bonnet_shade", "gloss")])
def test_everything_on_the_glass_shows_and_stays_put(name: str) -> None:
    share = 0.25 if name in ("bonnet", "dashboard", "mirror", "pillar", "wiper") else 0.8
    photo = replace(QUIET, windscreen=Windscreen(**{name: share}), glass=5)
    plain, seen, again = (develop(make_road(), p, scene_rng(0, 0)) for p in (QUIET, photo, photo))
    np.testing.assert_array_equal(seen, again)
    changed = np.abs(seen.astype(int) - plain).max(axis=2) > 2
    assert changed.mean() > 0.0005
    if name in ("bonnet", "dashboard"):
        assert changed[-3:].mean() > 0.9
        assert not changed[:50].any()


@pytest.mark.parametrize("look", [look for look in get_args(Look) if look != "none"])
@pytest.mark.parametrize("level", [12, 100, 240])
def test_a_look_changes_the_picture_and_leaves_a_road_to_be_seen(look: Look, level: int) -> None:
    road = make_road(level)
    for strength in (0.0, 1.0):
        graded = grade(road, Grading(look, strength))
        assert graded.dtype == np.uint8
        assert (graded != road).mean() > 0.2
        assert 6 < graded.mean() < 240


def test_no_look_is_no_work() -> None:
    road = make_road()
    assert grade(road, Grading()) is road


@pytest.mark.parametrize(
    "compression",
    [
        Compression(quality=15),
        Compression(quality=100, video_quality=12),
        Compression(quality=100, scale=0.4),
        Compression(quality=100, smear=1.0),
        Compression(quality=100, chroma=8),
        Compression(quality=100, interlace=2.0),
        Compression(quality=100, ghost=0.4),
    ],
    ids=["jpeg", "video", "small", "smear", "chroma", "interlace", "ghost"],
)
def test_compression_loses_something_but_not_the_picture(compression: Compression) -> None:
    road = make_road()
    stored = compress(road, compression)
    assert stored.shape == road.shape
    assert stored.flags["C_CONTIGUOUS"]
    difference = np.abs(stored.astype(int) - road)
    assert 0.2 < difference.mean() < 12


def test_lossless_compression_changes_nothing() -> None:
    np.testing.assert_array_equal(compress(make_road(), Compression(quality=100)), make_road())


@pytest.mark.parametrize("place", get_args(Place))
@pytest.mark.parametrize("style", get_args(Style))
def test_captions_stand_in_their_place(place: Place, style: Style) -> None:
    picture = np.full((120, 400, 3), 90, dtype=np.uint8)
    burn_in(picture, (Caption("2020/01/01 12:00:00", place, style, size=0.06),))
    rows, columns = np.nonzero((picture != 90).any(axis=2))
    assert len(rows) > 50
    expected_row = {"top": 12, "bottom": 108, "middle": 60}[place.split()[0]]
    assert abs(rows.mean() - expected_row) < 14
    side = place.split()[-1]
    assert (columns.mean() < 190) == (side == "left")
    assert (columns.mean() > 210) == (side == "right")


def test_captions_of_a_scene_do_not_overlap_and_fit() -> None:
    for index in range(40):
        captions = draw_captions(scene_rng(4, index))
        places = [caption.place for caption in captions]
        assert len(set(places)) == len(places)
        burn_in(np.zeros((60, 120, 3), dtype=np.uint8), captions)


def test_snow_and_rain_change_some_of_the_picture() -> None:
    for add in (
        lambda image: add_snow(image, 0.8, scene_rng(1, 1)),
        lambda image: add_rain(image, 0.8, 3, scene_rng(1, 1)),
    ):
        image = make_road()
        add(image)
        assert 0.005 < (np.abs(image.astype(int) - make_road()).max(axis=2) > 12).mean() < 0.6


def test_lamps_glare_and_a_wet_road_mirrors_them() -> None:
    lamps = Lamps()
    lamps.add(np.array([60.0, 30.0]), 3.0, (255.0, 240.0, 200.0), 1.0)
    dry, wet = np.zeros((*SIZE, 3), np.uint8), np.zeros((*SIZE, 3), np.uint8)
    shine(dry, lamps, 0.0)
    shine(wet, lamps, 0.5)
    assert dry[30, 60].min() > 150
    assert wet[45, 60].max() > dry[45, 60].max() + 10
    mirrored = make_road()
    mirror_wet(mirrored, 30, 0.5)
    assert mirrored[35:50, :, 2].mean() > make_road()[35:50, :, 2].mean() + 5


def test_low_sun_is_brightest_at_its_place() -> None:
    canvas = np.full((*SIZE, 3), 40, dtype=np.uint8)
    dazzle(canvas, 100.0, 20.0, 0.9)
    assert canvas[20, 100].min() > 200
    assert canvas[20, 100].mean() > canvas[60, 220].mean() + 80


def test_a_quarter_of_mixed_scenes_is_graded_and_none_of_the_easy_ones() -> None:
    photos = [draw_photo(scene_rng(2, index), "clear", "mixed") for index in range(300)]
    assert 0.17 < np.mean([photo.grading.look != "none" for photo in photos]) < 0.33
    assert max(photo.windscreen.bonnet for photo in photos) > 0.3
    assert min(photo.compression.quality for photo in photos) < 22
    easy = draw_photo(scene_rng(2, 0), "clear", "easy")
    assert easy.windscreen == Windscreen()
    assert easy.grading == Grading()
    assert easy.captions == ()


def test_nights_are_lit_unlit_and_in_tunnels() -> None:
    nights = [draw_light(scene_rng(5, index), "night", "highway") for index in range(120)]
    assert all(light.is_dark for light in nights)
    assert 0.05 < np.mean([light.ceiling for light in nights]) < 0.3
    assert 0.2 < np.mean([light.lamp_spacing == 0 for light in nights]) < 0.8
    near, far, beside = Light(headlights=1.0, ambient=(0, 0, 0)).at([10.0, 70.0, 10.0], [0.0, 0.0, 6.0], [0.0] * 3)
    assert near.mean() > 4 * far.mean()
    assert near.mean() > 2 * beside.mean()


def test_weather_of_mixed_scenes() -> None:
    drawn = [draw_weather(scene_rng(6, index), "mixed") for index in range(400)]
    assert 0.18 < drawn.count("night") / 400 < 0.29
    assert len(set(drawn)) == 9


def test_days_are_exposed_as_real_cameras_expose_them() -> None:
    """Half of all day pictures have a lower half of median 80 to 140; few are very dark."""
    medians = []
    for index in range(60):
        if draw_weather_of(index) not in ("night", "dusk"):
            medians.append(float(np.median(render_scene(8, index, image_size=SIZE).image[48:])))
    assert 80 < np.median(medians) < 140
    assert np.mean(np.array(medians) < 40) < 0.15


def draw_weather_of(index: int) -> str:
    return draw_scene(scene_rng(8, index), SIZE, "mixed").weather
