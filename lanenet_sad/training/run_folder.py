"""The folder of a run: never written over by accident."""

from __future__ import annotations

from pathlib import Path

from lanenet_sad.lanes.files import replacing


def prepare_run_folder(output_dir: Path, configuration: str | None, *, resume: bool) -> None:
    """Make the folder and put the run's complete configuration there.

    Args:
        output_dir: where the run goes.
        configuration: YAML text for `config.yaml`; None: nothing to write.
        resume: the folder is expected to hold a run already.

    Raises:
        ValueError: there is a run in the folder and `resume` is off, or the folder cannot be written.
    """
    there = [name for name in ("last.pt", "metrics.csv") if (output_dir / name).exists()]
    if there and not resume:
        raise ValueError(
            f"Output folder {output_dir}: there is a run in it ({there[0]}). "
            f"Continue it with --resume, or choose another --out."
        )
    name = "config.yaml" if not resume else "config.resumed.yaml"
    if configuration is not None:
        with replacing(output_dir / name) as temporary:
            # The file describes the experiment; that this call continued it is not part of that.
            temporary.write_text(configuration.replace("\nresume: true\n", "\nresume: false\n"), encoding="utf-8")
