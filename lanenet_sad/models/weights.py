"""Weight files: a network, the view it was trained for, and where it comes from, in one safetensors file."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from lanenet_sad.lanes.files import replacing
from lanenet_sad.lanes.slots import slot_origins
from lanenet_sad.lanes.view import InputView
from lanenet_sad.models.builders import build_network
from lanenet_sad.models.checkpoint_file import load_checkpoint_file as load_checkpoint_file
from lanenet_sad.models.lanenet import LaneNet
from lanenet_sad.models.normalization import Normalization

FORMAT = "lanenet-sad weights 1"

# Beginnings of the names of tensors that have a part for each lane slot.
_SLOT_TENSORS = ("decoder.full.", "decoder.classify.", "decoder.output_conv.", "existence_head.")


@dataclass(frozen=True)
class NetworkCard:
    """What a weight file says about its network.

    Attributes:
        recipe: what `build_network` needs to build it.
        view: what part of a picture it looks at, at which size.
        history: how it was made (benchmark, steps, scores, …): JSON values.
        threshold: lowest probability of a lane point that its training chose for decoding; None: nothing was chosen.
        normalization: of the pictures that it reads.
    """

    recipe: dict[str, Any]
    view: InputView
    history: dict[str, Any] = field(default_factory=dict)
    threshold: float | None = None
    normalization: Normalization = field(default_factory=Normalization)

    def to_json(self) -> str:
        """As one JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> NetworkCard:
        """The inverse of `to_json`; ValueError, KeyError or TypeError if the text is something else."""
        values = json.loads(text)
        view = values["view"]
        view["input_size"] = tuple(view["input_size"])
        normalization = Normalization(**values.get("normalization", {}))
        return cls(values["recipe"], InputView(**view), values["history"], values.get("threshold"), normalization)


def save_weights(path: Path, network: LaneNet, card: NetworkCard) -> None:
    """Write the network's weights and its card to a `.safetensors` file (temporary name, then renamed)."""
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}
    with replacing(path) as temporary:
        # Not `save_file`, which leaves a file that only its owner can read.
        temporary.write_bytes(save(tensors, metadata={"format": FORMAT, "card": card.to_json()}))


def load_weights(path: Path, device: str | torch.device = "cpu") -> tuple[LaneNet, NetworkCard]:
    """Build the network that a weight file or a training checkpoint describes and fill it.

    Args:
        path: a `.safetensors` file of `save_weights`, or the `last.pt` of a training run (its averaged
            weights if it has them).
        device: where the network goes.

    Returns:
        The network in eval mode, and its card.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged, of another program, needs pickle, or does not fit its own recipe.
    """
    card, tensors = read_weights(path)
    network = build_network(card.recipe)
    fill_network(network, tensors, path)
    return network.to(device).eval(), card


def read_weights(path: Path) -> tuple[NetworkCard, dict[str, Tensor]]:
    """The card and the tensors of a weight file, without building the network; errors as `load_weights`."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Weights {path}: there is no such file.")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    return _read_checkpoint(path)


def fill_network(network: LaneNet, tensors: dict[str, Tensor], path: Path) -> None:
    """Load `tensors` into `network`, or say in one sentence what does not fit."""
    expected = network.state_dict()
    missing = sorted(expected.keys() - tensors.keys())
    surplus = sorted(tensors.keys() - expected.keys())
    shapes = [name for name in expected.keys() & tensors.keys() if expected[name].shape != tensors[name].shape]
    if missing or surplus or shapes:
        if shapes:
            name = min(shapes)
            detail = f"{name} is {tuple(tensors[name].shape)} in the file, {tuple(expected[name].shape)} in the network"
        else:
            detail = f"{len(missing)} tensors are missing ({missing[:1]}), {len(surplus)} unknown ({surplus[:1]})"
        raise ValueError(
            f"Weights {path}: they belong to another architecture or lane count: {detail}. "
            f"Build the network as the run that made them did (its config.yaml says how)."
        )
    network.load_state_dict(tensors)


def start_from(network: LaneNet, path: Path) -> list[str]:
    """Start a network from the weights of another one, which may have other lane slots or another existence head.

    Tensors of the same name and shape are taken as they are. Where the lane count differs, the last convolution of
    the decoder and the existence head keep what belongs to background and to slots that both networks have, counted
    from the ego lane outwards (`slot_origins`). All else stays as it was initialised. An encoder with PReLU that starts
    from one with ReLU gets slopes of 0, which is the same function.

    Args:
        network: is changed in place.
        path: as in `load_weights`.

    Returns:
        What was left as it was: lane slots without an origin, and names of tensors. What was not taken (slopes of PReLU
        that a network with ReLU has no place for) is named too.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file cannot be read, or fewer than half of the encoder's tensors fit.
    """
    origin, card = load_weights(path)
    if card.normalization != Normalization():
        warnings.warn(
            f"Weights {path}: their pictures were normalised with mean {card.normalization.mean} and deviation "
            f"{card.normalization.std}, those of this training are not; the first steps have to make up for that.",
            stacklevel=2,
        )
    ours, theirs = network.state_dict(), origin.state_dict()
    found = {name: value for name, value in theirs.items() if name in ours and value.shape == ours[name].shape}
    encoder = [name for name, value in ours.items() if name.startswith("encoder.") and value.ndim]
    fitting = sum(name in found for name in encoder)
    if 2 * fitting < len(encoder):
        raise ValueError(
            f"Weights {path}: they belong to another architecture: {fitting} of the encoder's {len(encoder)} tensors "
            f"fit. Build the network as the run that made them did (its config.yaml says how)."
        )
    for name, value in ours.items():
        if name in theirs and name not in found and name.startswith(_SLOT_TENSORS):
            carried = _carry_slots(theirs[name], value, origin.num_lanes, network.num_lanes)
            found |= {} if carried is None else {name: carried}
    if origin.recipe.get("activation") == "relu":
        slopes = [f"{name}.weight" for name, module in network.named_modules() if isinstance(module, nn.PReLU)]
        found |= {name: torch.zeros_like(ours[name]) for name in slopes if name not in theirs}
    network.load_state_dict({**ours, **found})
    origins = slot_origins(network.num_lanes, origin.num_lanes)
    new_slots = [f"lane slot {slot}" for slot in range(1, network.num_lanes + 1) if slot not in origins]
    surplus = [f"{name} (not taken)" for name in theirs if name not in ours]
    return new_slots + [name for name in ours if name not in found] + surplus


def _carry_slots(origin: Tensor, fresh: Tensor, origin_lanes: int, num_lanes: int) -> Tensor | None:
    """`fresh` with the slots of `origin` in it; None if the two differ in more than the lane count."""
    differing = [d for d in range(fresh.ndim) if origin.ndim == fresh.ndim and origin.shape[d] != fresh.shape[d]]
    if len(differing) != 1:
        return None
    (dim,) = differing
    origins = slot_origins(num_lanes, origin_lanes)
    sizes = (fresh.shape[dim], origin.shape[dim])
    if sizes == (num_lanes, origin_lanes):  # one number for each slot
        pairs, length = [(slot - 1, from_slot - 1) for slot, from_slot in origins.items()], 1
    else:  # classes, 0 is background, of `length` numbers each: pixels of the pooled class map, or one
        pairs, length = [(0, 0), *origins.items()], sizes[0] // (num_lanes + 1)
        if sizes != (length * (num_lanes + 1), length * (origin_lanes + 1)):
            return None
    carried = fresh.clone()
    for to, come in pairs:
        carried.narrow(dim, to * length, length).copy_(origin.narrow(dim, come * length, length))
    return carried


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The metadata and the tensors of any safetensors file; ValueError if it is not one."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            return metadata, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise ValueError(f"Weights {path}: not a readable safetensors file ({error}).") from error


def _read_safetensors(path: Path) -> tuple[NetworkCard, dict[str, Tensor]]:
    metadata, tensors = read_safetensors(path)
    if metadata.get("format") != FORMAT:
        raise ValueError(
            f"Weights {path}: expected a file written by lanenet-sad ({FORMAT!r}), got {metadata.get('format')!r}."
        )
    return _card(metadata["card"], path), tensors


def _read_checkpoint(path: Path) -> tuple[NetworkCard, dict[str, Tensor]]:
    content = load_checkpoint_file(path)
    if not {"card", "network"} <= content.keys():
        raise ValueError(f"Weights {path}: expected a checkpoint of `lanenet-sad train`, got other contents.")
    return _card(content["card"], path), content.get("ema") or content["network"]


def _card(text: str, path: Path) -> NetworkCard:
    try:
        return NetworkCard.from_json(text)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"Weights {path}: the card inside is damaged ({error}).") from error
