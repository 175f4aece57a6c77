"""Weight files: a network, the view it was trained for, and where it comes from, in one safetensors file."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save
from torch import Tensor, nn

from lanenet_sad.lanes.files import replacing
from lanenet_sad.lanes.slots import slot_origins
from lanenet_sad.lanes.view import InputView
from lanenet_sad.models.builders import build_network
from lanenet_sad.models.checkpoint_file import load_checkpoint_file, read_safetensors
from lanenet_sad.models.exits import ExitHead, exit_recipe, of_exit, state_with_exits, without_exits
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
        exits: the blocks behind which the file holds exits too, and the width of each.
    """

    recipe: dict[str, Any]
    view: InputView
    history: dict[str, Any] = field(default_factory=dict)
    threshold: float | None = None
    normalization: Normalization = field(default_factory=Normalization)
    exits: dict[int, int] = field(default_factory=dict)

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
        exits = {int(block): int(width) for block, width in values.get("exits", {}).items()}
        return cls(
            values["recipe"], InputView(**view), values["history"], values.get("threshold"), normalization, exits
        )


class NetworkWithExits(NamedTuple):
    """What a weight file of a network that was trained with exits holds."""

    network: LaneNet
    exits: dict[int, ExitHead]  # by block; empty if there are none
    card: NetworkCard


def save_weights(path: Path, network: LaneNet, card: NetworkCard, exits: Mapping[int, ExitHead] | None = None) -> None:
    """Write the network's weights and its card to a `.safetensors` file (temporary name, then renamed).

    Args:
        path: of the file.
        network: what to write.
        card: what to say of it; which exits there are is filled in.
        exits: heads by block, to be kept beside the network.
    """
    state = state_with_exits(network, exits or {})
    card = replace(card, exits={block: head.width for block, head in (exits or {}).items()})
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
    with replacing(path) as temporary:
        # Not `save_file`, which leaves a file that only its owner can read.
        temporary.write_bytes(save(tensors, metadata={"format": FORMAT, "card": card.to_json()}))


def load_weights(
    path: Path, device: str | torch.device = "cpu", *, exit: int | None = None
) -> tuple[LaneNet, NetworkCard]:
    """Build the network that a weight file or a training checkpoint describes and fill it.

    Args:
        path: a `.safetensors` file of `save_weights`, or the `last.pt` of a training run (its averaged
            weights if it has them).
        device: where the network goes.
        exit: the network truncated at the exit behind this block, of which only the layers needed are built; None: the
            whole network.

    Returns:
        The network in eval mode, and its card, whose recipe is that of this network.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged, of another program, needs pickle, does not fit its own recipe, or has no such
            exit.
    """
    card, tensors = _read(path)
    if exit is not None:
        card, tensors = _at_exit(card, tensors, exit, path)
    network = build_network(card.recipe)
    fill_network(network, without_exits(tensors), path)
    return network.to(device).eval(), card


def load_exits(path: Path, device: str | torch.device = "cpu") -> NetworkWithExits:
    """The whole network of a file with all its exits, in eval mode; errors as `load_weights`."""
    card, tensors = _read(path)
    network = build_network(card.recipe)
    fill_network(network, without_exits(tensors), path)
    exits = {}
    for block, width in card.exits.items():
        head = ExitHead(network.spec, block, width=width)
        fill_network(head, of_exit(tensors, block), path)
        exits[block] = head.to(device).eval()
    return NetworkWithExits(network.to(device).eval(), exits, card)


def no_exits(path: Path) -> ValueError:
    """What to raise where a file without exits is asked for one."""
    return ValueError(
        f"Weights {path}: there are no exits in this file; a run with BeYourOwnTeacher or DeepSupervision among its "
        f"distillation methods trains some."
    )


def _at_exit(
    card: NetworkCard, tensors: dict[str, Tensor], block: int, path: Path
) -> tuple[NetworkCard, dict[str, Tensor]]:
    """Card and tensors of the network truncated at an exit."""
    if not card.exits:
        raise no_exits(path)
    with torch.device("meta"):
        encoder = build_network(card.recipe).encoder
    if block not in card.exits:
        known = " and ".join(str(each) for each in sorted(card.exits))
        last = encoder.spec.num_blocks
        reason = "" if 1 <= block <= last else f", as the encoder has blocks 1 to {last}"
        raise ValueError(
            f"Weights {path}: there is no exit {block}{reason}; this network has exit{'s' * (len(card.exits) > 1)} "
            f"{known}."
        )
    encoder.cut_after(block)
    card = replace(card, recipe=exit_recipe(card.recipe, block, card.exits[block]), exits={})
    needed = {f"encoder.{name}" for name in encoder.state_dict()}
    return card, {name: tensors[name] for name in needed & tensors.keys()} | of_exit(tensors, block)


def read_weights(path: Path) -> tuple[NetworkCard, dict[str, Tensor]]:
    """The card and the network's tensors of a weight file, without building anything; errors as `load_weights`."""
    card, tensors = _read(path)
    return card, without_exits(tensors)


def _read(path: Path) -> tuple[NetworkCard, dict[str, Tensor]]:
    """The card and the tensors of a weight file, those of exits among them."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"Weights {path}: there is no such file.")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    return _read_checkpoint(path)


def fill_network(network: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
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
    tensors: dict[str, Tensor] = content.get("ema") or {**content["network"], **content.get("exits", {})}
    return _card(content["card"], path), tensors


def _card(text: str, path: Path) -> NetworkCard:
    try:
        return NetworkCard.from_json(text)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"Weights {path}: the card inside is damaged ({error}).") from error
