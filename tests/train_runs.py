"""Small training runs for tests."""

from pathlib import Path

import torch

from lanenet_sad.datasets.transforms import TrainTransform
from lanenet_sad.distillation import SelfAttentionDistillation
from lanenet_sad.lanes.view import InputView
from lanenet_sad.models import enet
from lanenet_sad.models.weights import load_weights
from lanenet_sad.train import Cadence, Runtime, train
from lanenet_sad.training.schedule import Schedule

VIEW = InputView((32, 64), aspect=2.5)


def run(root: Path, out: Path, *, steps: int = 6, sad: bool = True, seed: int = 0, **options):
    torch.manual_seed(seed)
    return train(
        **{
            "benchmark": "culane",
            "root": root,
            "out": out,
            "model": enet(num_lanes=4),
            "view": VIEW,
            "distillation": [SelfAttentionDistillation] if sad else [],
            "optimizer": lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9, nesterov=True),
            "augmentation": TrainTransform,
            "schedule": Schedule(max_steps=steps),
            "val_split": None,
            "batch_size": 2,
            "cadence": Cadence(log_every=2, checkpoint_every=3),
            "runtime": Runtime(accelerator="cpu", num_workers=0, progress=False),
            "seed": seed,
            **options,
        }
    )


def weights_of(out: Path) -> dict[str, torch.Tensor]:
    return load_weights(out / "last.pt")[0].state_dict()


def assert_equal_weights(one: Path, other: Path) -> None:
    ours, theirs = weights_of(one), weights_of(other)
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name
