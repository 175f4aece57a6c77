"""Distillation is left behind: what is exported does not tell by which method the network was trained."""

import pytest
import torch
from teacher_factories import SIZE, make_batch, write_teacher

import lanenet_sad.distillation
from lanenet_sad.distillation import (
    AttentionTransfer,
    BeYourOwnTeacher,
    DeepSupervision,
    DistillationMethod,
    FeatureRefinement,
    KnowledgeDistillation,
    RelationDistillation,
    SelfAttentionDistillation,
    ViewConsistency,
)
from lanenet_sad.losses import LaneLoss
from lanenet_sad.models import enet
from lanenet_sad.training.learner import Learner

SAD = (SelfAttentionDistillation,)
OWN_TEACHERS = (BeYourOwnTeacher, DeepSupervision, FeatureRefinement, ViewConsistency)
TAUGHT = (AttentionTransfer, KnowledgeDistillation, RelationDistillation)


def exported_after_a_step(methods, **teacher):
    """The network's exported program, after one step of training with the methods."""
    torch.manual_seed(0)
    network = enet(dropout=0.0)
    learner = Learner(network, LaneLoss(), [method(network.spec, **teacher) for method in methods]).train()
    optimizer = torch.optim.SGD(learner.parameters(), lr=1e-3)
    losses = learner(*make_batch(), 1.0)
    assert bool(losses.distillation) == bool(methods)
    losses.total.backward()
    optimizer.step()
    return torch.export.export(network.eval(), (torch.zeros(1, 3, *SIZE),))


@pytest.fixture(scope="module")
def plain():
    return exported_after_a_step(())


def test_every_method_stands_here():
    exported = {getattr(lanenet_sad.distillation, name) for name in lanenet_sad.distillation.__all__}
    methods = {one for one in exported if isinstance(one, type) and issubclass(one, DistillationMethod)}
    assert methods - {DistillationMethod} == {*SAD, *OWN_TEACHERS, *TAUGHT}


# The methods of a group act together, as an export takes seconds.
@pytest.mark.parametrize(
    "methods",
    [
        pytest.param(SAD, id="SAD"),
        pytest.param(OWN_TEACHERS, marks=pytest.mark.slow, id="own teachers"),
        pytest.param(TAUGHT, marks=pytest.mark.slow, id="frozen teacher"),
    ],
)
def test_the_exported_graph_is_that_of_a_network_without_distillation(plain, methods, tmp_path):
    teacher = {"teacher_weights": write_teacher(tmp_path)} if methods is TAUGHT else {}
    trained = exported_after_a_step(methods, **teacher)
    assert trained.graph_module.code == plain.graph_module.code
    assert str(trained.graph_signature) == str(plain.graph_signature)
    shapes = [{name: value.shape for name, value in program.state_dict.items()} for program in (trained, plain)]
    assert shapes[0] == shapes[1]
    weights = [program.state_dict["encoder.stage1.0.project.0.weight"] for program in (trained, plain)]
    assert not torch.equal(*weights)  # it has been trained with another loss
