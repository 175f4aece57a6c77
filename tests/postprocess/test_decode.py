import numpy as np
import pytest
import torch

from lanenet_sad.lanes.lane import Lane
from lanenet_sad.lanes.raster import draw_lanes
from lanenet_sad.lanes.view import InputView
from lanenet_sad.models import LaneNetOutput
from lanenet_sad.postprocess.decode import LaneDecoder, default_row_anchors, published_rows

CULANE = InputView((288, 800), aspect=1640 / 590)
CROP = InputView((208, 976), aspect=1640 / 350)


def make_lane_output(lanes: list[Lane], view: InputView, image_size=(590, 1640), sure: float = 8.0) -> LaneNetOutput:
    """The output of a network that sees exactly these lanes."""
    placement = view.place(image_size)
    moved = [Lane(placement.to_input(lane.points), lane.slot) for lane in lanes]
    mask = torch.from_numpy(draw_lanes(moved, view.input_size, line_width=8)).long()
    logits = torch.nn.functional.one_hot(mask, 5).permute(2, 0, 1)[None].float() * sure
    existence = torch.full((1, 4), -9.0)
    for lane in lanes:
        existence[0, lane.slot - 1] = 9.0
    return LaneNetOutput(logits, existence, ())


def straight(bottom_x: float, top_x: float, slot: int, bottom=589.0, top=260.0) -> Lane:
    rows = np.linspace(bottom, top, 40)
    return Lane(np.stack([np.interp(rows, [top, bottom], [top_x, bottom_x]), rows], axis=1), slot)


LANES = [straight(420, 760, 2), straight(1250, 880, 3)]


@pytest.mark.parametrize("view", [CULANE, CROP], ids=["whole-frame", "crop"])
@pytest.mark.parametrize(
    ("decoder", "tolerance"),
    [(LaneDecoder(), 1.2), (LaneDecoder.published(), 4.0)],
    ids=["soft-argmax", "published"],
)
def test_what_was_drawn_comes_back(view, decoder, tolerance):
    (prediction,) = decoder(make_lane_output(LANES, view), [view.place((590, 1640))], [(590, 1640)])
    assert [lane.slot for lane in prediction.lanes] == [2, 3]
    for found, drawn in zip(prediction.lanes, LANES, strict=True):
        inner = found.points[(found.points[:, 1] > 285) & (found.points[:, 1] < 570)]
        expected = np.interp(inner[:, 1], drawn.points[::-1, 1], drawn.points[::-1, 0])
        assert len(inner) > 20
        assert np.abs(inner[:, 0] - expected).mean() < tolerance
        assert (np.diff(found.points[:, 1]) < 0).all()  # near to far


def test_sub_pixel_columns_are_closer_than_whole_ones():
    errors = {}
    for name, decoder in {"soft": LaneDecoder(), "whole": LaneDecoder.published()}.items():
        (prediction,) = decoder(make_lane_output(LANES, CULANE), [CULANE.place((590, 1640))], [(590, 1640)])
        lane = prediction.lanes[0].points
        lane = lane[(lane[:, 1] > 285) & (lane[:, 1] < 570)]
        errors[name] = np.abs(
            lane[:, 0] - np.interp(lane[:, 1], LANES[0].points[::-1, 1], LANES[0].points[::-1, 0])
        ).mean()
    assert errors["soft"] < errors["whole"]


@pytest.mark.parametrize(
    ("view", "rows"),
    [
        pytest.param(
            CROP, [208, 196, 184, 172, 160, 149, 137, 125, 113, 101, 89, 77, 65, 53, 42, 30, 18, 6], id="crop"
        ),
        pytest.param(
            CULANE,
            [288, 278, 268, 259, 249, 239, 229, 220, 210, 200, 190, 181, 171, 161, 151, 142, 132, 122],
            id="no-crop",
        ),
    ],
)
def test_published_rows_are_those_of_the_official_matlab_tool(view, rows):
    image_rows = np.arange(589.0, 240.0, -20.0)
    assert (published_rows(image_rows, view.place((590, 1640))) + 1).tolist() == rows


def test_a_lane_that_leaves_the_picture_at_the_side_stays_straight():
    lane = straight(-400, 700, 1)
    (prediction,) = LaneDecoder()(make_lane_output([lane], CULANE), [CULANE.place((590, 1640))], [(590, 1640)])
    found = prediction.lanes[0].points
    expected = np.interp(found[:, 1], lane.points[::-1, 1], lane.points[::-1, 0])
    assert found[0, 0] < 60  # followed up to the border
    assert np.abs(found[:, 0] - expected)[:-3].max() < 8


def test_an_absent_lane_is_not_decoded_however_bright_its_map():
    output = make_lane_output(LANES, CULANE)
    output.existence_logits[0, 1] = -1.0
    (prediction,) = LaneDecoder()(output, [CULANE.place((590, 1640))], [(590, 1640)])
    assert [lane.slot for lane in prediction.lanes] == [3]
    assert prediction.lanes[0].confidence == pytest.approx(0.99988, abs=1e-4)


def test_points_are_as_sure_as_the_smoothed_map_and_drawn_ones_less():
    lane = straight(420, 760, 2)
    output = make_lane_output([lane], CULANE, sure=3.0)
    output.segmentation_logits[:, :, 210:] = 0.0  # nothing seen near the camera: every class as likely
    (prediction,) = LaneDecoder()(output, [CULANE.place((590, 1640))], [(590, 1640)])
    (found,) = prediction.lanes
    rows, sure = found.points[:, 1], found.point_confidences
    drawn = sure <= 0.3  # the threshold, which the end of what is seen is just above
    assert rows[0] == 589
    assert rows[drawn].min() > rows[~drawn].max() > 410
    np.testing.assert_allclose(sure[drawn], sure[~drawn][0] / 2)
    full = np.exp(3) / (np.exp(3) + 4)
    assert full - 0.35 < np.median(sure[~drawn]) < full


def test_a_map_of_ones_gives_no_confidence_above_one():
    output = make_lane_output(LANES, CULANE, sure=90.0)
    (prediction,) = LaneDecoder(smoothing=3)(output, [CULANE.place((590, 1640))], [(590, 1640)])
    sure = np.concatenate([lane.point_confidences for lane in prediction.lanes])
    assert 0.98 < sure.max() <= 1


def test_weak_probabilities_give_no_points():
    (prediction,) = LaneDecoder(threshold=0.9)(
        make_lane_output(LANES, CULANE, sure=2.0), [CULANE.place((590, 1640))], [(590, 1640)]
    )
    assert prediction.lanes == ()


def test_given_rows_are_sampled_and_no_others():
    rows = np.array([300.0, 410.0, 520.0, 9999.0, -5.0])
    (prediction,) = LaneDecoder()(make_lane_output(LANES, CULANE), [CULANE.place((590, 1640))], [(590, 1640)], [rows])
    assert prediction.lanes[0].points[:, 1].tolist() == [520.0, 410.0, 300.0]


def test_row_anchors_stay_inside_the_picture():
    for size in ((590, 1640), (100, 800), (768, 480), (9, 40)):
        rows = default_row_anchors(CULANE.place(size))
        assert len(rows) >= 1
        assert rows.min() >= 0
        assert rows.max() == size[0] - 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threshold": 1.5}, "threshold"),
        ({"smoothing": 4}, "odd"),
        ({"existence_threshold": -1}, "existence_threshold"),
    ],
)
def test_settings_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LaneDecoder(**arguments)
