"""The settings that docs/methods.md shows build the methods they are about."""

import re
from pathlib import Path

import pytest
import yaml
from teacher_factories import SIZE, make_student, write_teacher

from lanenet_sad import cli, distillation
from lanenet_sad.train import train

PAGE = (Path(__file__).parents[1] / "docs" / "methods.md").read_text()
SECTIONS = {section.splitlines()[0]: section for section in PAGE.split("\n## ")[1:]}
YAML = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
EXAMPLES = [(title, example) for title, text in SECTIONS.items() for example in YAML.findall(text)]


@pytest.mark.parametrize("example", [pytest.param(example, id=title) for title, example in EXAMPLES])
def test_every_example_builds(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_teacher(tmp_path).rename("teacher.safetensors")
    settings = yaml.safe_load(example)
    settings["view"] = {"input_size": list(SIZE), "aspect": 2.0}
    settings |= {"benchmark": "culane", "model": {"class_path": "lanenet_sad.models.enet"}}
    Path("experiment.yaml").write_text(yaml.safe_dump(settings))
    parser = cli.build_parser("train", train)
    words = ["--config", "experiment.yaml", "--root", "data", "--out", "runs"]
    parts = parser.instantiate(parser.parse_args(cli.normalize_words(words, train)))
    methods = [method(make_student().spec) for method in vars(parts)["distillation"]]
    assert [f"lanenet_sad.distillation.{type(method).__name__}" for method in methods] == [
        entry["class_path"] for entry in settings["distillation"]
    ]


@pytest.mark.parametrize(
    "name",
    [
        "AttentionTransfer",
        "BeYourOwnTeacher",
        "DeepSupervision",
        "FeatureRefinement",
        "KnowledgeDistillation",
        "RelationDistillation",
        "SelfAttentionDistillation",
        "ViewConsistency",
    ],
)
def test_every_method_has_an_example(name):
    assert isinstance(getattr(distillation, name), type)
    assert any(f"lanenet_sad.distillation.{name}\n" in example for _, example in EXAMPLES)
