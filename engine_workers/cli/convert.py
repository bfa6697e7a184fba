"""The command `chordscribe convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine_workers.cli.over import complain, exit_code, over
from engine_workers.errors import TargetError
from schemas.audio import Channels
from schemas.errors import ChordscribeError
from schemas.settings import load_settings


def convert(
    files: Annotated[list[Path], typer.Argument(help="Audio or video files of this machine.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write into.")],
    form: Annotated[str, typer.Option("--format", "-f", help="flac or wav.")] = "flac",
    channels: Annotated[
        Channels, typer.Option("--channels", help="split: a file for each channel.")
    ] = Channels.MIX,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Write what engines hear of a recording: 16 kHz, 16 bits, mono, as FLAC or WAV."""
    from engine_workers.media.converting import Form  # noqa: PLC0415  # keeps `--help` fast

    if form not in set(Form):
        message = f"'{form}' cannot be written: flac or wav"
        raise typer.BadParameter(message, param_hint="--format")
    settings, split = load_settings(), channels is Channels.SPLIT

    def work(file: Path) -> list[Path]:
        from engine_workers.media.converting import convert as write  # noqa: PLC0415
        from engine_workers.media.examine import examined  # noqa: PLC0415

        with examined(file, settings, by_channel=split) as (prepared, canonical):
            names = [file.stem]
            if split:
                names = [f"{file.stem}-{n}" for n in range(1, prepared.info.channels + 1)]
            targets = [output / f"{name}.{form}" for name in names]
            _check(file, targets, force=force)
            write(canonical, targets, Form(form))
        return targets

    results = []
    for file, result in over(files, work):
        results.append(result)
        if isinstance(result, ChordscribeError):
            complain(file, result)
        else:
            print(*result, sep="\n")
    raise typer.Exit(exit_code(results))


def _check(file: Path, targets: list[Path], *, force: bool) -> None:
    for target in targets:
        if target.exists() and target.samefile(file):
            message = f"'{target}' is the recording itself"
            raise TargetError(message)
        if target.exists() and not force:
            message = f"'{target}' is there already; --force replaces it"
            raise TargetError(message)
