import numpy as np
import pytest
from road_factories import make_camera, make_road_prediction

from lanenet_sad.lanes.road_model import RoadFit, fit_road, gather

HEIGHT = 1.4


def fit(camera, prediction, **settings) -> RoadFit:
    rays = [camera.rays(lane.points) for lane in prediction.lanes]
    return fit_road(gather(rays, [np.ones(len(lane.points)) for lane in prediction.lanes]), **settings)


@pytest.mark.parametrize("curvature", [0.0, 0.002, -0.004], ids=["straight", "right", "left"])
@pytest.mark.parametrize("heading", [0.0, 0.02])
def test_a_known_road_is_found(curvature: float, heading: float):
    camera = make_camera()
    found = fit(camera, make_road_prediction(camera, lateral=0.3, heading=heading, curvature=curvature))
    assert found.offsets * HEIGHT == pytest.approx([-5.7, -2.1, 1.5, 5.1], abs=0.05)
    assert found.direction == pytest.approx(-heading, abs=0.003)
    assert found.curvature / HEIGHT == pytest.approx(curvature, abs=2e-4)
    assert found.nod == pytest.approx(0, abs=1e-3)
    assert found.cost < 0.1


def test_the_nod_of_the_camera_is_found_and_does_not_bend_the_road():
    camera = make_camera(pitch=0.06)
    found = fit(make_camera(pitch=0.05), make_road_prediction(camera, curvature=0.002))
    assert found.nod == pytest.approx(0.01, abs=1e-3)
    assert found.curvature / HEIGHT == pytest.approx(0.002, abs=3e-4)
    assert np.diff(found.offsets) * HEIGHT == pytest.approx([3.6] * 3, abs=0.05)


def test_its_errors_are_as_large_as_it_says():
    camera = make_camera()
    found = [fit(camera, make_road_prediction(camera, noise=0.7, seed=seed)) for seed in range(40)]
    scatter = np.std([(*one.offsets, one.direction, one.curvature) for one in found], axis=0)
    said = np.sqrt(found[0].covariance.diagonal()[:6])
    assert (scatter < 1.5 * said).all()
    assert (scatter > 0.1 * said).all()


def test_outliers_count_little():
    camera = make_camera()
    prediction = make_road_prediction(camera, curvature=0.001)
    prediction.lanes[1].points[-5:, 0] += 40
    prediction.lanes[2].points[:2, 0] -= 90
    found = fit(camera, prediction)
    assert found.offsets * HEIGHT == pytest.approx([-5.4, -1.8, 1.8, 5.4], abs=0.1)
    assert found.curvature / HEIGHT == pytest.approx(0.001, abs=5e-4)


def test_points_above_the_horizon_count_nothing():
    camera = make_camera()
    prediction = make_road_prediction(camera, slots=(2, 3))
    rays = [camera.rays(lane.points) for lane in prediction.lanes]
    sky = [tuple(np.append(one, value) for one, value in zip(each, (0.3, -0.2), strict=True)) for each in rays]
    weights = [np.ones(len(each[0])) for each in rays]
    plain = fit_road(gather(rays, weights), rounds=1)
    with_sky = fit_road(gather(sky, [np.append(each, 1.0) for each in weights]), rounds=1)
    assert with_sky.offsets == pytest.approx(plain.offsets, abs=1e-4)


def test_one_line_alone_tells_its_distance_and_the_bend_but_not_the_nod():
    camera = make_camera()
    found = fit(camera, make_road_prediction(camera, lateral=-0.2, curvature=0.003, slots=(2,)), nod_error=0.004)
    assert found.offsets[0] * HEIGHT == pytest.approx(-1.6, abs=0.1)
    assert found.curvature / HEIGHT == pytest.approx(0.003, abs=1e-3)
    assert np.sqrt(found.covariance[-1, -1]) > 0.001
