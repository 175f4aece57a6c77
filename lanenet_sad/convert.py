"""Convert: other programs' checkpoints -> weight files of ours."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lanenet_sad.models.foreign import convert_tensors, published_view, read_published, recognize
from lanenet_sad.models.weights import NetworkCard, save_weights


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
    source: Path, *, out: Path, input_size: tuple[int, int] | None = None, aspect: float | None = None
) -> Conversion:
    """Turn a published checkpoint into a weight file that predict, evaluate, attention and train read.

    The ENets of InhwanBae/ENet-SAD_Pytorch and of voldemortX/pytorch-auto-drive are known; which one a file holds is
    seen from the names of its tensors. The new network computes the same numbers.

    Args:
        source: checkpoint: .safetensors, or .pth, .pt, .pth.tar (read without pickle).
        out: weight file to write, .safetensors.
        input_size: height and width of the network's input, where it is not one of the published sizes.
        aspect: width / height of the part of a picture that fills the input, from the bottom row up; default: the
            whole picture of the benchmark of that size, otherwise the shape of the input.
    """
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
