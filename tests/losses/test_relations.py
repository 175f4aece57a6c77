"""Relation losses against the goldens, and where their gradients could break."""

import numpy as np
import pytest
import torch

from lanenet_sad.losses.relations import (
    angle_relation_loss,
    distance_relation_loss,
    flow_matrix,
    flow_relation_loss,
    similarity_relation_loss,
)

TOLERANCES = [(torch.float64, {"rtol": 1e-9, "atol": 1e-12}), (torch.float32, {"rtol": 2e-5, "atol": 1e-7})]
LOSSES = [distance_relation_loss, angle_relation_loss, similarity_relation_loss]


@pytest.fixture(scope="module")
def golden(shared):
    return np.load(shared / "goldens" / "distillation" / "kd_rel.npz")


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES, ids=str)
@pytest.mark.parametrize(("loss", "key"), [*zip(LOSSES, ["rkd_d", "rkd_a", "sp_loss"], strict=True)])
def test_goldens(golden, loss, key, dtype, tolerance):
    student, teacher = (torch.from_numpy(golden[f"in_emb_{side}"]).to(dtype) for side in "st")
    np.testing.assert_allclose(loss(student, teacher), golden[key], **tolerance)


@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES, ids=str)
def test_flow_goldens(golden, dtype, tolerance):
    matrices = [
        flow_matrix(*(torch.from_numpy(golden[f"in_fsp_{side}{layer}"]).to(dtype) for layer in "12")) for side in "st"
    ]
    loss = flow_relation_loss(*matrices)
    np.testing.assert_allclose(loss, golden["fsp_loss_batchmean"], **tolerance)
    np.testing.assert_allclose(loss / matrices[0][0].numel(), golden["fsp_loss_mean"], **tolerance)


def rows(count=5, width=4, seed=0, dtype=torch.float64):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("loss", LOSSES)
def test_relations_do_not_see_scale_and_rotation(loss):
    student = rows()
    turn, _ = torch.linalg.qr(rows(4, 4, seed=1))
    assert float(loss(student, 1e3 * student @ turn)) == pytest.approx(0, abs=1e-12)
    assert float(loss(student, rows(seed=2))) > 1e-3


@pytest.mark.parametrize("loss", [distance_relation_loss, angle_relation_loss])
def test_distances_and_angles_do_not_see_a_shift(loss):
    assert float(loss(rows(), rows() + 5)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("scale", [1e-15, 1.0, 1e15], ids=str)
@pytest.mark.parametrize("loss", LOSSES)
def test_finite_with_equal_and_empty_rows_at_every_scale(loss, scale):
    student = rows(dtype=torch.float32) * scale
    student[1], student[3] = student[0], 0
    student.requires_grad_()
    value = loss(student, rows(seed=3, dtype=torch.float32) * scale)
    value.backward()
    assert value.detach() > 0
    assert (student.grad * scale).isfinite().all()
    assert float((student.grad * scale).norm()) < 100


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("loss", LOSSES)
def test_too_few_rows_cost_nothing(loss, count):
    student = rows(count).requires_grad_()
    value = loss(student, rows(count, seed=1))
    value.backward()
    assert float(value.detach()) == 0
    assert not student.grad.any()


@pytest.mark.parametrize("loss", LOSSES)
def test_autocast_changes_nothing(loss):
    student, teacher = rows(dtype=torch.float32), rows(seed=1, dtype=torch.float32)
    expected = loss(student, teacher)
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(student, teacher)
        flow = flow_matrix(student[None, :, :, None], teacher[None, :, :, None])
    assert value.dtype == flow.dtype == torch.float32
    assert torch.equal(value, expected)
    assert loss(student.half(), teacher.half()).dtype == torch.float32


@pytest.mark.parametrize("loss", LOSSES)
def test_other_rows_are_refused(loss):
    with pytest.raises(
        ValueError, match="Relations of 1 embeddings of a student and 5 of a teacher: expected the same"
    ):
        loss(rows(1), rows(5))
    with pytest.raises(ValueError, match="Relations of 0 embeddings of a student and 5"):
        loss(rows(0), rows(5))


def test_other_flows_are_refused():
    with pytest.raises(ValueError, match=r"Flow of a student \(2, 3, 1\) and a teacher \(2, 3, 4\): expected the same"):
        flow_relation_loss(torch.zeros(2, 3, 1), torch.zeros(2, 3, 4))
