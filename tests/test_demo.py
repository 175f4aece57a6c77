"""The demo, whole: `make demo` without the installation."""

import pytest

from lanenet_sad.demo import demo


@pytest.mark.slow
def test_the_demo_reaches_its_own_bar(tmp_path, capsys):
    summary = demo(out=tmp_path / "demo", progress=False)
    assert summary.faults == ()
    assert summary.f1 >= 0.5
    assert summary.distillation_gradient_share > 0
    printed = capsys.readouterr().out
    for name in ("0000.mp4", ".attention.png", "0000.lanes.jsonl", "metrics.csv", "score.json"):
        assert name in printed.split("Open these:")[1]
