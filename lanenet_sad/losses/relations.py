"""How the embeddings of a student relate to each other, against how those of a teacher do; widths may differ.

Each loss is unweighted and computed in at least float32, also under autocast. The embeddings are rows, (N, D): images
in the papers, regions of lanes in `RelationDistillation`. Gradients flow into whatever is not detached. Embeddings that
are not as many are refused by a ValueError, as their difference would be broadcast.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lanenet_sad.losses.functional import at_least_float32


def distance_relation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """RKD-D (Park et al. 2019, arXiv:1904.05068): Huber loss between all distances, in units of their mean.

    The mean is taken over the distances that are not 0; the loss is a mean over all N x N pairs, those of an embedding
    with itself too, as in the published code.

    Args:
        student: (N, D).
        teacher: (N, D'), same rows.

    Returns:
        Scalar; 0 for less than two rows.
    """
    _check_rows(student, teacher)
    if not len(student):
        return _zero(student)
    return F.smooth_l1_loss(_relative_distances(student), _relative_distances(teacher))


def angle_relation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """RKD-A (Park et al. 2019): Huber loss between the cosines of the angles that all triplets make.

    A mean over all N x N x N triplets, as in the published code; those with two equal embeddings have the cosine 0.
    Takes memory for N x N x D numbers.

    Args:
        student: (N, D).
        teacher: (N, D'), same rows.

    Returns:
        Scalar; 0 for less than three rows.
    """
    _check_rows(student, teacher)
    if not len(student):
        return _zero(student)
    return F.smooth_l1_loss(_cosines(student), _cosines(teacher))


def similarity_relation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Similarity-preserving loss (Tung and Mori 2019, arXiv:1907.09682): squared difference of Gram matrices over N^2.

    Each row of a Gram matrix is divided by its norm.

    Args:
        student: (N, D).
        teacher: (N, D'), same rows.

    Returns:
        Scalar; 0 for no rows.
    """
    _check_rows(student, teacher)
    return (_similarities(student) - _similarities(teacher)).square().sum() / max(len(student), 1) ** 2


def flow_matrix(shallow: Tensor, deep: Tensor) -> Tensor:
    """FSP matrix (Yim et al. 2017, CVPR): how much each channel of one layer is active where each of another is.

    Args:
        shallow: (B, C, H, W).
        deep: (B, C', H, W); a layer of another size is resized before.

    Returns:
        (B, C, C'), mean over the pixels of the products.
    """
    with torch.autocast(shallow.device.type, enabled=False):
        left, right = (at_least_float32(feature).flatten(2) for feature in (shallow, deep))  # (B, C, H*W)
        return left @ (right / right.shape[2]).transpose(1, 2)


def flow_relation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared difference of FSP matrices, summed over the channels and averaged over the images.

    (torchdistill takes a norm over one channel axis, not squared.)

    Args:
        student: (B, C, C') of `flow_matrix`.
        teacher: likewise, of the same widths.

    Raises:
        ValueError: the shapes differ.
    """
    if student.shape != teacher.shape:
        raise ValueError(
            f"Flow of a student {tuple(student.shape)} and a teacher {tuple(teacher.shape)}: expected the same images "
            f"and widths."
        )
    return (student - teacher).square().sum() / student.shape[0]


def _check_rows(student: Tensor, teacher: Tensor) -> None:
    if len(student) != len(teacher):
        raise ValueError(
            f"Relations of {len(student)} embeddings of a student and {len(teacher)} of a teacher: "
            f"expected the same rows."
        )


def _differences(embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """x_j - x_i and their lengths: (N, N, D) and (N, N); the length's gradient is 0 where it is 0."""
    rows = at_least_float32(embeddings)
    # Neither loss sees the scale, so it is taken out first as a constant: squares would overflow or vanish.
    peak = rows.detach().abs().amax()
    rows = rows / torch.where(peak > 0, peak, 1.0)
    differences = rows[None, :] - rows[:, None]
    squared = differences.square().sum(dim=2)
    apart = squared > 0
    return differences, torch.where(apart, torch.where(apart, squared, 1.0).sqrt(), 0.0)


def _relative_distances(embeddings: Tensor) -> Tensor:
    """(N, D) -> (N, N), mean 1 over those that are not 0."""
    _, distances = _differences(embeddings)
    mean = distances.sum() / (distances > 0).sum().clamp(min=1)
    return distances / torch.where(mean > 0, mean, 1.0)


def _cosines(embeddings: Tensor) -> Tensor:
    """(N, D) -> (N, N, N): the cosine of the angle at row i between the directions to rows j and k."""
    differences, distances = _differences(embeddings)
    directions = differences / torch.where(distances > 0, distances, 1.0)[:, :, None]
    with torch.autocast(embeddings.device.type, enabled=False):
        return directions @ directions.transpose(1, 2)


def _similarities(embeddings: Tensor) -> Tensor:
    """(N, D) -> (N, N): the Gram matrix, each row divided by its norm; a row of zeros stays."""
    rows = at_least_float32(embeddings)
    peak = rows.detach().abs().amax() if rows.numel() else rows.new_ones(())
    rows = rows / torch.where(peak > 0, peak, 1.0)
    with torch.autocast(embeddings.device.type, enabled=False):
        gram = rows @ rows.T
    squared = gram.square().sum(dim=1, keepdim=True)
    filled = squared > 0
    return gram / torch.where(filled, squared, 1.0).sqrt()


def _zero(like: Tensor) -> Tensor:
    return at_least_float32(like).sum()
