"""What every method with a frozen teacher promises."""

from dataclasses import replace

import pytest
import torch
from factories import make_output, make_targets, write_weights
from teacher_factories import SIZE, Passer, as_leaves, kept_teacher, make_batch, make_student, total, write_teacher

from lanenet_sad.distillation import AttentionTransfer, KnowledgeDistillation, RelationDistillation
from lanenet_sad.distillation.attention_map import loss_gradients
from lanenet_sad.distillation.teacher import FrozenTeacher, frozen_teacher
from lanenet_sad.lanes.view import InputView
from lanenet_sad.losses import LaneLoss
from lanenet_sad.models import enet, erfnet, resnet
from lanenet_sad.models.interface import NetworkSpec
from lanenet_sad.models.normalization import IMAGE_STD, IMAGENET, normalize_images
from lanenet_sad.models.weights import NetworkCard, load_weights, save_weights
from lanenet_sad.training.learner import Learner

METHODS = {
    "attention": (AttentionTransfer, {}),
    "attention-paper": (AttentionTransfer, {"form": "paper"}),
    "knowledge": (KnowledgeDistillation, {"existence_weight": 0.1}),
    "relation": (RelationDistillation, {"similarity_weight": 1.0, "flow_weight": 1.0}),
}
GRADIENT_METHODS = {
    "attention-gradient": (AttentionTransfer, {"mode": "gradient"}),
    "attention-input-gradient": (AttentionTransfer, {"mode": "input_gradient", "form": "paper"}),
}
IDS = pytest.mark.parametrize("kind", METHODS)
ALL_IDS = pytest.mark.parametrize("kind", METHODS | GRADIENT_METHODS)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = write_teacher(tmp_path_factory.mktemp("teacher"))
    with kept_teacher(path):
        yield path


def build(kind, weights, spec=None, **options):
    method, settings = (METHODS | GRADIENT_METHODS)[kind]
    return method(spec or NetworkSpec((16, 64, 128, 128), (2, 4, 8, 8)), teacher_weights=weights, **settings, **options)


def run(method, network, images, targets, **options):
    images, targets = method.extend_batch(images, targets)
    return method(images, network(images), targets, **options)


@ALL_IDS
def test_a_student_like_its_teacher_loses_nothing(kind, weights):
    student, _ = load_weights(weights)
    images, targets = make_batch()
    losses = run(build(kind, weights), student, images, targets)
    other = run(build(kind, weights), make_student(seed=5), images, targets)
    assert losses.keys() == other.keys()
    for name, loss in losses.items():
        assert float(loss.detach()) == pytest.approx(0, abs=1e-5 * float(other[name].detach()))
        assert other[name].detach() > 0


@ALL_IDS
def test_the_student_learns_and_the_teacher_does_not(kind, weights):
    student, (images, targets) = make_student(), make_batch()
    method = build(kind, weights)
    before = {name: value.clone() for name, value in method.teacher._network.state_dict().items()}
    total(run(method.train(), student, images, targets)).backward()
    assert student.encoder.stage1[0].project[0].weight.grad.any()
    assert all(p.grad is None or p.grad.isfinite().all() for p in student.parameters())
    network = method.teacher._network
    assert not network.training
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@ALL_IDS
def test_the_teacher_is_no_part_of_the_method(kind, weights):
    learner = Learner(make_student(), LaneLoss(), [build(kind, weights)])
    assert not learner.distillation.state_dict()
    assert not list(learner.distillation.parameters())
    assert not list(learner.distillation.buffers())
    assert learner.state_dict().keys() == {f"network.{name}" for name in learner.network.state_dict()}


@IDS
@pytest.mark.parametrize("scale", [1e3, 0.0], ids=str)
def test_finite_at_large_activations_and_at_none(kind, weights, scale):
    images, targets = make_batch()
    output = as_leaves(make_student()(images), scale)
    losses = build(kind, weights)(images, output, targets)
    total(losses).backward()
    leaves = (output.segmentation_logits, output.existence_logits, *output.features)
    assert total(losses).isfinite()
    assert all(leaf.grad is None or leaf.grad.isfinite().all() for leaf in leaves)


@IDS
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64], ids=str)
def test_at_least_float32(kind, weights, dtype):
    images, targets = make_batch(dtype)
    output = make_output(NetworkSpec((16, 64, 128, 128), (2, 4, 8, 8)), size=SIZE, dtype=dtype)
    losses = build(kind, weights)(images, output, targets)
    assert {loss.dtype for loss in losses.values()} == {torch.promote_types(dtype, torch.float32)}


@ALL_IDS
def test_every_pixel_ignored_and_no_lane(kind, weights):
    student, (images, targets) = make_student(), make_batch()
    for label in (255, 0):
        targets.lane_mask.fill_(label)
        loss = total(run(build(kind, weights), student, images, targets))
        loss.backward()
        assert loss.isfinite()
    assert all(p.grad is None or p.grad.isfinite().all() for p in student.parameters())


@ALL_IDS
@pytest.mark.parametrize("waits", [False, True], ids=["from-step-0", "waits"])
def test_when_it_acts(kind, weights, waits):
    method = build(kind, weights, wait_for_schedule=waits)
    learner = Learner(make_student(), LaneLoss(), [method])
    images, targets = make_batch()
    early, half, full = (learner(images, targets, scale).distillation for scale in (0.0, 0.5, 1.0))
    assert method.has_label_losses is not waits
    assert method.imitation == (full.keys() if waits else frozenset())
    assert early.keys() == (set() if waits else full.keys())
    student = learner.network
    assert run(method, student, images, targets, imitate=False).keys() == early.keys()
    for name, value in full.items():
        torch.testing.assert_close(half[name], value * (0.5 if waits else 1.0))


@IDS
def test_a_student_with_other_widths_and_strides(kind, weights):
    spec = NetworkSpec(channels=(8, 12, 16, 16), strides=(4, 8, 8, 8))
    output = make_output(spec, size=SIZE)
    options = {"flow_weight": 0.0} if kind == "relation" else {}
    method, settings = METHODS[kind]
    images, targets = make_batch()
    losses = method(spec, teacher_weights=weights, **(settings | options))(images, output, targets)
    total(losses).backward()
    assert all(loss.detach() > 0 for loss in losses.values())
    assert (output.segmentation_logits if kind == "knowledge" else output.features[-1]).grad.any()


@pytest.mark.parametrize("build_teacher", [resnet, erfnet])
def test_every_encoder_can_teach(build_teacher, tmp_path):
    teacher, student = build_teacher(), make_student()
    path = tmp_path / "w.safetensors"
    save_weights(path, teacher, NetworkCard(teacher.recipe, InputView(SIZE, aspect=2.0)))
    images, targets = make_batch()
    output = as_leaves(student(images))
    classes = (AttentionTransfer, KnowledgeDistillation, RelationDistillation)
    losses = [method(student.spec, teacher_weights=path)(images, output, targets) for method in classes]
    total({name: loss for one in losses for name, loss in one.items()}).backward()
    assert output.features[0].grad is None  # block 1 is in no pair
    assert all(leaf.grad.any() for leaf in (output.segmentation_logits, *output.features[1:]))


@IDS
def test_diagnostics_are_numbers_and_leave_the_graph_alone(kind, weights):
    student, (images, targets) = make_student(), make_batch()
    learner = Learner(student, LaneLoss(), [build(kind, weights)])
    losses = learner(images, targets, 1.0, with_diagnostics=True)
    assert losses.diagnostics["distillation_gradient_share"] > 0
    assert all(parameter.grad is None for parameter in student.parameters())
    losses.total.backward()


@ALL_IDS
def test_bad_teachers_are_refused(kind, weights, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.safetensors: there is no such file"):
        build(kind, tmp_path / "nowhere.safetensors")
    six = write_teacher(tmp_path, num_lanes=6)
    with pytest.raises(ValueError, match=r"the teacher has 6 lane slots, the student 4; take a teacher that was"):
        build(kind, six)
    if kind != "knowledge" and "input" not in kind:
        with pytest.raises(ValueError, match=r"pair \(2, 5\): the teacher has blocks 1 to 4, not 5"):
            build(kind, weights, pairs=((2, 5),))
        with pytest.raises(ValueError, match=r"pair \(5, 2\): the student has blocks 1 to 4, not 5"):
            build(kind, weights, pairs=((5, 2),))
        with pytest.raises(ValueError, match="expected at least one"):
            build(kind, weights, pairs=())
        with pytest.raises(ValueError, match="expected each pair once"):
            build(kind, weights, pairs=((2, 2), (2, 2)))


def test_a_teacher_for_another_size_is_refused(tmp_path):
    network = enet(existence_head="fixed", input_size=(64, 128))
    save_weights(tmp_path / "w.safetensors", network, NetworkCard(network.recipe, InputView((64, 128), aspect=2.0)))
    teacher = frozen_teacher(tmp_path / "w.safetensors", make_student().spec, holder=Passer())
    message = r"head is made for images of 64x128 pixels, the student's are 32x64; train at the teacher's size"
    with pytest.raises(ValueError, match=message):
        teacher(torch.zeros(1, 3, *SIZE))
    with pytest.raises(ValueError, match=message):
        teacher.loss_gradients(torch.zeros(1, 3, *SIZE), make_targets(1, SIZE), (4,))


def test_the_teacher_says_what_its_network_says(weights):
    images = torch.randn(2, 3, *SIZE, dtype=torch.float64)
    expected = load_weights(weights)[0].double()(images)
    teacher = FrozenTeacher(weights)
    for dtype, precision in ((torch.bfloat16, torch.float32), (torch.float64, torch.float64)):
        said = teacher(images.to(dtype))
        assert said.segmentation_logits.dtype == precision
        assert not said.segmentation_logits.requires_grad
    torch.testing.assert_close(said.segmentation_logits, expected.segmentation_logits.detach())
    torch.testing.assert_close(said.features, tuple(feature.detach() for feature in expected.features))


def test_a_teacher_computes_in_float32_under_autocast(weights):
    teacher, (images, targets) = FrozenTeacher(weights), make_batch()
    expected, gradients = teacher(images), teacher.loss_gradients(images, targets, (0, 4))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert make_student()(images).segmentation_logits.dtype == torch.bfloat16
        said, found = teacher(images), teacher.loss_gradients(images, targets, (0, 4))
    assert said.segmentation_logits.dtype == torch.float32
    torch.testing.assert_close(said, expected, rtol=1e-5, atol=1e-5)
    for block, gradient in gradients.items():
        torch.testing.assert_close(found[block], gradient, rtol=1e-3, atol=1e-5 * float(gradient.abs().max()))


def test_a_teacher_sees_images_in_its_own_normalisation(tmp_path):
    path = write_teacher(tmp_path)
    network, card = load_weights(path)
    save_weights(path, network, replace(card, normalization=IMAGENET))
    pictures = torch.randint(256, (2, *SIZE, 3), dtype=torch.uint8)
    ours, theirs = (normalize_images(pictures, kind).double() for kind in (None, IMAGENET))
    teacher, targets = FrozenTeacher(path), make_targets(2, SIZE)
    said = network.double()(theirs)
    torch.testing.assert_close(teacher(ours).existence_logits, said.existence_logits.detach(), rtol=1e-4, atol=1e-4)
    other = FrozenTeacher(write_teacher(tmp_path))
    assert (other(ours).existence_logits - said.existence_logits).abs().max() > 1e-2
    theirs.requires_grad_()
    gradient = loss_gradients(theirs, network(theirs), targets, (0,), trainable=False)[0]
    deviation = torch.tensor(IMAGE_STD, dtype=torch.float64) / torch.tensor(IMAGENET.std, dtype=torch.float64)
    chained = gradient * deviation.view(3, 1, 1)
    found = teacher.loss_gradients(ours, targets, (0,))[0]
    torch.testing.assert_close(found, chained, rtol=1e-3, atol=1e-3 * float(chained.abs().max()))


def count_forwards(teacher, monkeypatch):
    calls = []
    forward = teacher._network.forward
    monkeypatch.setattr(teacher._network, "forward", lambda images: calls.append(1) or forward(images))
    return calls


def test_methods_with_one_teacher_share_its_network_and_its_forward(weights, monkeypatch):
    methods = [build(kind, weights) for kind in METHODS]
    teacher = methods[0].teacher
    assert all(method.teacher is teacher for method in methods)
    calls = count_forwards(teacher, monkeypatch)
    student, (images, targets) = make_student(), make_batch()
    output = student(images)
    losses = {name: loss for method in methods for name, loss in method(images, output, targets).items()}
    assert len(calls) == 1
    images.normal_()  # in place: the same tensor, other numbers
    changed = {name: loss for method in methods for name, loss in method(images, output, targets).items()}
    assert len(calls) == 2
    same = {name for name, loss in losses.items() if changed[name] == loss}
    assert same <= {"kd_existence"}  # this teacher is sure of every lane in any picture
    methods[1](images.clone(), output, targets)
    assert len(calls) == 3


def test_a_teacher_with_one_holder_keeps_nothing(tmp_path, monkeypatch):
    method = build("knowledge", write_teacher(tmp_path))
    student, (images, targets) = make_student(), make_batch()
    method(images, student(images), targets)
    assert method.teacher._seen is None


def test_a_changed_file_is_another_teacher(tmp_path):
    first = build("knowledge", write_teacher(tmp_path))
    path = write_weights(first.teacher.path, seed=2)
    assert build("knowledge", path).teacher is not first.teacher
