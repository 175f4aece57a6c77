import subprocess
import sys

import numpy as np
import pytest

from lanenet_sad.datasets.synthetic import Synthetic, dataset


def test_record_and_truth_agree() -> None:
    rendered = Synthetic(3, size=(144, 400), seed=2, difficulty="easy")
    assert len(rendered) == 3
    for index in range(3):
        record, truth = rendered.load(index), rendered.truth(index)
        assert record.image.shape == (144, 400, 3)
        assert record.lane_mask.shape == (144, 400)
        assert record.truth.image_size == truth.image_size == rendered.image_size(index) == (144, 400)
        assert record.truth.name == truth.name == rendered.name(index)
        slots = {lane.slot for lane in truth.lanes} - {None}
        assert set(np.unique(record.lane_mask)) - {0} == slots
        for lane, other in zip(record.truth.lanes, truth.lanes, strict=True):
            np.testing.assert_array_equal(lane.points, other.points)


def test_first_index_and_seed_set_datasets_apart() -> None:
    whole = Synthetic(4, size=(64, 160))
    tail = Synthetic(2, size=(64, 160), first_index=2)
    np.testing.assert_array_equal(whole.load(2).image, tail.load(0).image)
    assert not np.array_equal(whole.load(0).image, tail.load(0).image)
    assert not np.array_equal(whole.load(0).image, Synthetic(1, size=(64, 160), seed=1).load(0).image)


def test_six_slots() -> None:
    rendered = Synthetic(20, size=(144, 400), num_lanes=6, difficulty="easy")
    slots = {lane.slot for index in range(20) for lane in rendered.truth(index).lanes if lane.slot}
    assert {3, 4} <= slots <= {1, 2, 3, 4, 5, 6}


def test_bad_arguments_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="expected 1 image or more, got 0"):
        Synthetic(0)
    with pytest.raises(ValueError, match="2 lane slots or more, got 1"):
        Synthetic(1, num_lanes=1)
    with pytest.raises(ValueError, match="at least 32x32"):
        Synthetic(1, size=(8, 8))
    with pytest.raises(IndexError, match="index from 0 to 1, got 2"):
        Synthetic(2, size=(64, 160)).load(2)


def test_rendering_needs_no_torch() -> None:
    code = "import sys, lanenet_sad.datasets.synthetic, lanenet_sad.synthesize; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_cached_pictures_are_read_back_and_the_same_as_the_first_time(tmp_path, monkeypatch):
    cached = Synthetic(3, size=(48, 128), seed=4, cache=tmp_path)
    first = cached.load(1)
    plain = Synthetic(3, size=(48, 128), seed=4).load(1)
    assert np.abs(first.image.astype(int) - plain.image).mean() < 8
    assert (first.lane_mask == plain.lane_mask).all()
    (file,) = tmp_path.rglob("*.jpg")
    assert file.parent.name.endswith("seed4_mixed_48x128")
    monkeypatch.setattr(dataset, "render_scene", None)
    again = Synthetic(3, size=(48, 128), seed=4, cache=tmp_path).load(1)
    assert (again.image == first.image).all()
    assert (again.lane_mask == first.lane_mask).all()


def test_labels_are_computed_once_and_not_for_the_picture_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "scene_lanes", None)
    rendered = Synthetic(2, size=(48, 128), seed=4, cache=tmp_path)
    first = rendered.load(1).image
    monkeypatch.setattr(dataset, "render_scene", None)
    assert (rendered.image(1) == first).all()
    alone = rendered.image(0)
    assert (alone == rendered.image(0)).all()
    assert (alone != Synthetic(2, size=(48, 128), seed=4).image(0)).any()
    assert len(list(tmp_path.rglob("*.jpg"))) == 2


def test_a_cache_that_cannot_be_written_is_reported_once_and_changes_no_picture(tmp_path):
    expected = [Synthetic(2, size=(48, 128), seed=4, cache=tmp_path / "good").load(index) for index in range(2)]
    (tmp_path / "file").write_text("")
    broken = Synthetic(2, size=(48, 128), seed=4, cache=tmp_path / "file")
    with pytest.warns(UserWarning, match=r"no picture is cached. Cannot write .*file") as caught:
        records = [broken.load(index) for index in range(2)]
    assert len(caught) == 1
    for record, same in zip(records, expected, strict=True):
        assert (record.image == same.image).all()
        assert (record.lane_mask == same.lane_mask).all()
