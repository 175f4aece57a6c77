import subprocess
import sys
from pathlib import Path

import pytest

from lanenet_sad import cli


def verb_like(
    source: str,
    *,
    out: Path,
    batch_size: int = 1,
    iou: tuple[float, ...] = (0.5,),
    image_size: tuple[int, int] = (590, 1640),
    weights: tuple[Path, ...] = (),
    show: bool = False,
    progress: bool = True,
    crop_top: float | None = None,
) -> None:
    """A signature with every kind of option."""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["a.mp4", "--out", "d"], ["--source=a.mp4", "--out=d"], id="positional"),
        pytest.param(["--out", "d", "a.mp4"], ["--out=d", "--source=a.mp4"], id="positional-last"),
        pytest.param(["--batch-size", "4"], ["--batch_size=4"], id="hyphen"),
        pytest.param(["--batch-size=4"], ["--batch_size=4"], id="equals"),
        pytest.param(["--show"], ["--show=true"], id="bare-flag"),
        pytest.param(["--show", "a.mp4"], ["--show=true", "--source=a.mp4"], id="flag-before-positional"),
        pytest.param(["--show", "false"], ["--show=false"], id="flag-with-value"),
        pytest.param(["--no-progress"], ["--progress=false"], id="negated-flag"),
        pytest.param(["--iou", "0.5", "0.75"], ["--iou=[0.5, 0.75]"], id="list"),
        pytest.param(["--iou", "[0.5,0.75]"], ["--iou=[0.5,0.75]"], id="json-list"),
        pytest.param(["--image-size", "590", "1640"], ["--image_size=[590, 1640]"], id="size"),
        pytest.param(["--weights", "a.pt", "b.pt"], ['--weights=["a.pt", "b.pt"]'], id="paths"),
        pytest.param(["--weights=a.pt"], ['--weights=["a.pt"]'], id="one-path"),
        pytest.param(["--crop-top", "0.3"], ["--crop_top=0.3"], id="optional-number"),
    ],
)
def test_habits_of_the_command_line_are_understood(words, expected):
    assert cli.normalize_words(words, verb_like) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["--print-config"], "distillation:"), (["--optimizer.help", "torch.optim.AdamW"], "weight_decay")],
    ids=["print-config", "class-help"],
)
def test_the_parsers_own_help_works(words, expected, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "--config", "synthetic_enet_sad", "--root", "r", "--out", "o", *words])
    assert stop.value.code == 0
    assert expected in capsys.readouterr().out


def test_half_an_option_is_no_option(capsys):
    assert cli.main(["predict", "a.jpg", "--out", "o", "--thresh", "0.3"]) == 2
    assert "--thresh" in capsys.readouterr().err


def test_a_surplus_word_is_an_error():
    with pytest.raises(ValueError, match="unexpected word 'b'"):
        cli.normalize_words(["a", "b"], verb_like)


# Every command of the README and of the documentation: the parser takes it.
COMMANDS = [
    "synthesize data/mini --num-train 40 --num-val 10 --num-test 10 --image-size 184 512 --drives 1",
    "synthesize data/tus --layout tusimple --seed 3 --num-train 4",
    "train --config culane_enet_sad --root data/CULane --out runs/culane",
    "train --config culane_enet_sad_crop --root data/CULane --out runs/crop --resume",
    "train --config tusimple_enet_sad --root data/TuSimple --out r --schedule.max-steps 10 --runtime.no-progress",
    "train --config synthetic_enet_sad --root data/mini --out runs/mini --seed 1 --batch-size 4",
    "train --config synthetic_enet_sad --root data/mini --out runs/mini --distillation=[] --init-weights w.safetensors",
    "train --config synthetic_enet_sad --root data/own --out runs/own --init-weights shipped --model.num-lanes 6",
    "evaluate culane --root data/CULane --weights runs/culane/best.safetensors",
    "evaluate culane --root data/roads --weights w.safetensors --split val --canvas-width 1640 --out evaluation",
    "evaluate tusimple --root data/TuSimple --weights w.safetensors --decoding published",
    "evaluate culane --root data/CULane --weights w.safetensors --all-exits --weight-noise 0 0.02 0.05 0.1",
    "evaluate culane --root data/roads --weights w.safetensors --exit 2 --weight-noise 0 0.01 0.02 --noise-seeds 5",
    "predict drive.mp4 --out out --weights runs/byot/best.safetensors --exit 3",
    "predict drive.mp4 --out out --weights w.safetensors --device cpu --batch-size 4 --threshold 0.4 --crop-top 0.35",
    "predict photos --out out --sequence",
    "predict 'photos/*.jpg' --out out --format culane",
    "predict photos --out labels --format labelme",
    "predict drive.mp4 --out labels --format cvat",
    "predict 0 --out out --show",
    "attention drive.mp4 --out out --weights before.safetensors after.safetensors --every 10",
    "attention road.jpg --out out --weights a.pt b.pt c.pt d.pt --titles none SAD BYOT FRSKD --cell-width 400",
    "attention road.jpg --out out --normalization softmax --mapping max --power 4",
    "convert port/exp10_best.pth --out weights.safetensors",
    "convert model.pt --out w.safetensors --input-size 208 976 --aspect 4.686",
    "calibrate boards --pattern 9 6 --square-size 0.025 --out camera.yaml --height 1.4",
    "calibrate drive.mp4 --out camera.yaml --camera lens.yaml --height 1.4",
    "demo --out demo",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_documentation_parses(command):
    import shlex

    verb, *words = shlex.split(command)
    function = cli.load_verb(verb)
    parser = cli.build_parser(verb, function)
    configuration = parser.parse_args(cli.normalize_words(words, function))
    assert configuration


@pytest.mark.parametrize("verb", cli.VERBS)
def test_help_of_every_verb_uses_the_spelling_that_works(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([verb, "--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0
    assert any(option in text for option in ("--out", "OUT", "--json"))
    assert not any("_" in word.split("=")[0] for word in text.split() if word.startswith("--"))


def test_help_shows_a_flag_as_it_is_used(capsys):
    with pytest.raises(SystemExit):
        cli.main(["predict", "--help"])
    words = capsys.readouterr().out.split()
    assert {"--no-progress", "--show", "SOURCE"} <= set(words)
    assert "--no-progress switch off: show progress." in " ".join(words)
    assert "--progress" not in words


def test_overview_names_every_verb(capsys):
    assert cli.main(["--help"]) == 0
    assert set(cli.VERBS) <= set(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["paint"], "no verb named 'paint'"),
        (["predict", "nothing.mp4", "--out", "x", "--weights", "missing.pt"], "missing.pt: there is no such file"),
        (["train", "--config", "nope"], "no shipped experiment has that name"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(words, message, capsys):
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_overview_does_not_import_torch():
    code = "import sys; from lanenet_sad.cli import main; main(['--help']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0
