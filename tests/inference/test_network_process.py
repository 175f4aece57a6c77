import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from factories import write_video, write_weights

from lanenet_sad.inference import network_process
from lanenet_sad.inference import pipeline as pipeline_module
from lanenet_sad.inference.network_process import NetworkProcess, ProcessEndedError
from lanenet_sad.inference.pipeline import LanePipeline
from lanenet_sad.inference.predictor import Predictor
from lanenet_sad.postprocess.decode import LaneDecoder


@pytest.fixture(scope="module")
def predictor(tmp_path_factory) -> Predictor:
    path = write_weights(tmp_path_factory.mktemp("weights") / "sure.safetensors")
    predictor = Predictor.from_weights(path, device="cpu")
    # what an untrained network sees is no line, and would be left out as stray points
    return replace(predictor, decoder=LaneDecoder(threshold=0.0, refine=False))


@pytest.fixture(scope="module")
def process(predictor):
    """One for all tests: it takes seconds to start."""
    with NetworkProcess(predictor, batch_size=2) as process:
        process.start()
        wait_for(process)
        yield process


def wait_for(process: NetworkProcess) -> None:
    deadline = time.monotonic() + 60
    while not process.is_ready:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def make_views(predictor: Predictor, count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (count, *predictor.view.input_size, 3), np.uint8)


def test_outputs_are_those_of_the_network_here_in_order(predictor, process):
    batches = [make_views(predictor, count, seed) for seed, count in enumerate((1, 2, 1, 2))]
    process.submit(batches[0])
    outputs = []
    for batch in batches[1:]:
        process.submit(batch)
        outputs.append(process.result())
    outputs.append(process.result())
    assert process.num_waiting == 0
    for batch, output in zip(batches, outputs, strict=True):
        expected = predictor.infer(batch)
        torch.testing.assert_close(output.segmentation_logits, expected.segmentation_logits, rtol=0, atol=1e-4)
        torch.testing.assert_close(output.existence_logits, expected.existence_logits, rtol=0, atol=1e-4)


def test_outputs_that_nobody_fetched_do_not_come_later(predictor, process):
    process.submit(make_views(predictor, 1, 1))
    process.submit(make_views(predictor, 1, 2))
    process.forget()
    views = make_views(predictor, 1, 3)
    process.submit(views)
    torch.testing.assert_close(
        process.result().existence_logits, predictor.infer(views).existence_logits, rtol=0, atol=1e-4
    )


def test_a_video_has_the_same_lanes_through_it(predictor, process, tmp_path, monkeypatch):
    video = write_video(tmp_path / "drive.mp4", num_frames=7)
    monkeypatch.setattr(pipeline_module, "_LONG", 1)
    submit, handed_over = process.submit, []
    monkeypatch.setattr(process, "submit", lambda views: handed_over.append(len(views)) or submit(views))
    through = list(LanePipeline(video, predictor=predictor, follow=False, process=process))
    assert handed_over == [1] * 7
    here = list(LanePipeline(video, predictor=predictor, follow=False))
    assert len(handed_over) == 7
    assert [frame.index for frame, _ in through] == list(range(7))
    for (_, one), (_, other) in zip(through, here, strict=True):
        assert len(one.lanes) == len(other.lanes) > 0
        for lane, expected in zip(one.lanes, other.lanes, strict=True):
            np.testing.assert_allclose(lane.points, expected.points, atol=0.05)


def test_a_killed_process_costs_nothing_but_speed(predictor, tmp_path, monkeypatch):
    video = write_video(tmp_path / "drive.mp4", num_frames=12)
    monkeypatch.setattr(pipeline_module, "_LONG", 1)
    with NetworkProcess(predictor) as process:
        process.start()
        wait_for(process)
        pid = process._process.pid

        def run() -> Iterator[int]:
            for frame, _ in LanePipeline(video, predictor=predictor, follow=False, process=process, depth=1):
                yield frame.index
                if frame.index == 1:
                    os.kill(pid, signal.SIGKILL)

        with pytest.warns(UserWarning, match="The network's process has ended"):
            assert list(run()) == list(range(12))


@pytest.mark.parametrize("by_name", [False, True], ids=["memory", "named-file"])
def test_it_ends_with_its_block_and_leaves_nothing(predictor, tmp_path, monkeypatch, by_name):
    monkeypatch.setattr(network_process, "_SHARED_FOLDER", tmp_path)
    if by_name:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    with NetworkProcess(predictor) as process:
        process.start()
        file, running = process._file, process._process
        assert running.poll() is None
        assert file is None or file.exists()
    assert running.poll() is not None
    assert (file is not None) == (by_name or not hasattr(os, "memfd_create"))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProcessEndedError):
        process.submit(make_views(predictor, 1, 0))


@pytest.mark.slow
def test_memory_by_the_name_of_a_file_serves_too(predictor, monkeypatch):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    with NetworkProcess(predictor) as process:
        process.start()
        wait_for(process)
        assert not process._file.exists()
        views = make_views(predictor, 1, 0)
        process.submit(views)
        output = process.result()
    torch.testing.assert_close(output.existence_logits, predictor.infer(views).existence_logits, rtol=0, atol=1e-4)


def test_where_no_memory_can_be_had_the_network_works_here(predictor, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline_module, "_LONG", 1)
    monkeypatch.setattr(os, "posix_fallocate", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    video = write_video(tmp_path / "drive.mp4", num_frames=3)
    with LanePipeline(video, predictor=predictor, follow=False) as pipeline:
        assert len(list(pipeline)) == 3
        assert pipeline.process is None


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["started", "half told", "ready"])
def test_it_ends_in_silence_when_its_owner_is_killed(tmp_path, moment):
    weights = write_weights(tmp_path / "sure.safetensors")
    code = (
        "import pickle, sys, time; from pathlib import Path; from lanenet_sad.inference.predictor import Predictor\n"
        "from lanenet_sad.inference import network_process; moment = sys.argv[2]\n"
        "def half(work, file): file.write(pickle.dumps(work)[:5000]); file.flush(); time.sleep(60)\n"
        "if moment == 'half told': network_process.pickle.dump = half\n"
        "predictor = Predictor.from_weights(Path(sys.argv[1]), device='cpu')\n"
        "process = network_process.NetworkProcess(predictor); process.start()\n"
        "if moment == 'half told': time.sleep(0.5)\n"
        "if moment == 'ready':\n"
        "    while not process.is_ready: time.sleep(0.02)\n"
        "    process.submit(predictor.prepare([__import__('numpy').zeros((64, 160, 3), 'uint8')])[0])\n"
        "print(process._process.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(weights), moment]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    pid = int(owner.stdout.readline())
    mapped = Path(f"/proc/{owner.pid}/maps").read_text().splitlines()
    shared = [line.split(maxsplit=5)[-1] for line in mapped if "lanenet-sad" in line]
    assert any(name.startswith("/memfd:") for name in shared)
    assert not any(name.startswith("/dev/shm") for name in shared)  # it would stay
    owner.kill()
    said = owner.communicate(timeout=30)[1]  # until the orphan has closed its end, too
    assert said == ""
    assert not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes()


def test_it_works_where_the_standard_input_is_closed(tmp_path):
    weights = write_weights(tmp_path / "sure.safetensors")
    code = (
        "import os, sys, time; from pathlib import Path; from lanenet_sad.inference.predictor import Predictor\n"
        "from lanenet_sad.inference.network_process import NetworkProcess\n"
        "predictor = Predictor.from_weights(Path(sys.argv[1]), device='cpu'); os.close(0)\n"
        "with NetworkProcess(predictor) as process:\n"
        "    process.start(); process._starter.join(60); print(process.is_ready)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(weights)], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("True", "")
