"""The demo, whole: `make demo` without the installation; and its own judgement."""

import csv
import json

import pytest

from lanenet_sad.demo import _judge, demo


@pytest.mark.slow
@pytest.mark.timeout(900)  # three minutes with both cores, and other tests have one of them
def test_the_demo_reaches_its_own_bar(tmp_path, capsys):
    summary = demo(out=tmp_path / "demo", progress=False)
    assert summary.faults == ()
    assert summary.f1 >= 0.5
    assert summary.distillation_gradient_share > 0
    printed = capsys.readouterr().out
    for name in ("0000.mp4", ".attention.png", "0000.lanes.jsonl", "metrics.csv", "score.json"):
        assert name in printed.split("Open these:")[1]


@pytest.mark.parametrize(
    ("f1", "row", "faults"),
    [
        pytest.param(0.9, {"distillation_gradient_share": 0.1}, [], id="good"),
        pytest.param(0.4, {"distillation_gradient_share": 0.1}, ["F1 on its own"], id="weak"),
        pytest.param(None, {"distillation_gradient_share": 0.1}, ["F1 on its own"], id="nothing-found"),
        pytest.param(0.9, {"distillation_gradient_share": 0.0}, ["SAD has no gradient"], id="saturated"),
        pytest.param(0.9, {"distillation_gradient_share": "nan"}, ["SAD has no gradient"], id="not-a-number"),
        pytest.param(0.9, {"loss": 1.0}, ["SAD has no gradient"], id="never-started"),
    ],
)
def test_the_demo_judges_itself(tmp_path, f1, row, faults):
    for folder in ("evaluation", "run"):
        (tmp_path / folder).mkdir()
    (tmp_path / "evaluation" / "score.json").write_text(json.dumps({"results": [{"f1": f1}]}))
    with (tmp_path / "run" / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerow(row)
    found = _judge(tmp_path, 1.0).faults
    assert len(found) == len(faults)
    for fault, expected in zip(found, faults, strict=True):
        assert expected in fault
