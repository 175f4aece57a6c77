"""Convert: other programs' checkpoints -> weight files of ours; labels of any kind -> a dataset to train on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lanenet_sad.conversion.dataset import LabelChoice, LabelConversion, convert_labels
from lanenet_sad.conversion.kinds import LabelFormat, label_format

if TYPE_CHECKING:
    from lanenet_sad.models.weights import NetworkCard


@dataclass(frozen=True)
class Conversion:
    """What was made of what.

    Attributes:
        repository: the program that the source comes from.
        path: the file written.
        card: what it says about its network.
    """

    repository: str
    path: Path
    card: NetworkCard


def convert(
    source: Path,
    *,
    out: Path,
    format: LabelFormat | None = None,
    images: Path | None = None,
    num_lanes: int | None = None,
    val_share: float = 0.2,
    val_folders: Sequence[str] = (),
    labels: Sequence[str] = (),
    label_slots: bool = False,
    empty: bool = True,
    masks: bool = True,
    line_width: int = 16,
    copy: bool = True,
    input_size: tuple[int, int] | None = None,
    aspect: float | None = None,
    progress: bool = True,
) -> Conversion | LabelConversion:
    """Turn labels into a dataset in CULane's layout, or a published checkpoint into a weight file.

    What SOURCE is, is seen from what it holds. Labels: files or folders of labelme, CVAT (XML) and COCO, CULane's text
    with or without lists, and the known benchmarks (docs/own_labels.md). Checkpoints: the ENets of
    InhwanBae/ENet-SAD_Pytorch and of voldemortX/pytorch-auto-drive (docs/checkpoints.md).

    Args:
        source: file or folder of labels; or checkpoint: .safetensors, or .pth, .pt, .pth.tar (read without pickle).
        out: folder of the new dataset; or weight file to write, .safetensors.
        format: of the labels, where it is not to be seen from them.
        images: folder of the pictures, where they are not beside the labels.
        num_lanes: lane slots; default: 4, or as many as the benchmark has.
        val_share: share of the pictures to validate on: whole folders, or the last pictures of a single one.
        val_folders: the folders to validate on instead.
        labels: the labels that are lanes, such as lane or lane_*; default: all.
        label_slots: the number at the end of a label (lane_2), or CVAT's attribute slot, is the lane's slot; otherwise
            slots are given by geometry.
        empty: keep pictures that were labelled and have no lanes.
        masks: draw lane masks.
        line_width: of the masks, in pixels at a picture width of 1640.
        copy: copy the pictures; otherwise symbolic links to them are made.
        input_size: checkpoints: height and width of the network's input, where it is not one of the published sizes.
        aspect: checkpoints: width / height of the part of a picture that fills the input, from the bottom row up;
            default: the whole picture of the benchmark of that size, otherwise the shape of the input.
        progress: show a progress bar.
    """
    if out.suffix == ".safetensors":
        if format is not None:
            raise ValueError(f"--format {format} is for labels, which become a folder; got --out {out}.")
        return _convert_checkpoint(source, out, input_size, aspect)
    kind = format or label_format(source)
    if kind is None:  # a file that holds no labels
        return _convert_checkpoint(source, out, input_size, aspect)
    if input_size is not None or aspect is not None:
        raise ValueError("--input-size and --aspect are for checkpoints, not for labels; leave them out.")
    choice = LabelChoice(
        labels, label_slots, num_lanes, val_share, val_folders, empty, masks, line_width, copy, progress
    )
    result = convert_labels(source, kind=kind, out=out, images=images, choice=choice)
    print(result.summary())
    return result


def _convert_checkpoint(
    source: Path, out: Path, input_size: tuple[int, int] | None, aspect: float | None
) -> Conversion:
    """A weight file whose network computes the same numbers; see docs/checkpoints.md."""
    from lanenet_sad.models.foreign import convert_tensors, published_view, read_published, recognize
    from lanenet_sad.models.weights import NetworkCard, save_weights

    if out.suffix != ".safetensors":
        raise ValueError(f"out: expected the name of a file that ends in .safetensors, got {out}.")
    if source.is_dir():
        raise ValueError(f"Checkpoint {source}: this is a folder; name one checkpoint file.")
    tensors = read_published(source)
    origin = recognize(tensors, source)
    network = convert_tensors(tensors, origin, source, input_size=input_size)
    size = network.recipe["input_size"]
    history = {
        "converted_from": origin.repository,
        "file": source.name,
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
    }
    view = published_view((size[0], size[1]), aspect)
    card = NetworkCard(network.recipe, view, history, normalization=origin.normalization)
    save_weights(out, network, card)
    count = sum(parameter.numel() for parameter in network.parameters())
    print(
        f"{source.name}: the ENet of {origin.repository}, {count:,} parameters, {network.num_lanes} lane slots, "
        f"input {size[0]}x{size[1]}; wrote {out}"
    )
    return Conversion(origin.repository, out, card)
