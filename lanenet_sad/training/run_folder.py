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
    if (output_dir / "last.pt").exists() and not resume:
        raise ValueError(
            f"Output folder {output_dir}: there is a run in it (last.pt). "
            f"Continue it with --resume, or choose another --out."
        )
    name = "config.yaml" if not resume else "config.resumed.yaml"
    if configuration is not None:
        with replacing(output_dir / name) as temporary:
            temporary.write_text(configuration, encoding="utf-8")
