"""`chordscribe backup …` keeps an installation elsewhere; `move-to` takes it to servers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.terminal import err, out, print_json, status_line

if TYPE_CHECKING:
    from schemas.backup import Manifest

backup = typer.Typer(
    help="Keep an installation elsewhere, bring it back.",
    no_args_is_help=True,
    add_completion=False,
)

FolderArgument = Annotated[Path, typer.Argument(help="A backup's folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@backup.command()
def create(
    folder: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")],
    without_media: Annotated[
        bool, typer.Option("--without-media", help="Only list the recordings.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the ledger as it stands at one moment, with the recordings; work goes on meanwhile."""
    from coordinator.backup.create import create_backup  # noqa: PLC0415  # keeps `--help` fast
    from coordinator.client import Client  # noqa: PLC0415
    from schemas.media_store import open_store  # noqa: PLC0415

    say = status_line(err())
    with Client(work=False, on_status=say) as client:
        manifest = create_backup(
            client.database,
            open_store(client.settings),
            folder.expanduser().absolute(),
            media=not without_media,
            say=say,
        )
    _tell(manifest, as_json=as_json)


@backup.command()
def verify(folder: FolderArgument, as_json: JsonOption = False) -> None:
    """Read a backup to its end and compare every file with its checksum."""
    from coordinator.backup.verify import verify_backup  # noqa: PLC0415  # keeps `--help` fast

    _tell(verify_backup(folder.expanduser().absolute()), as_json=as_json)


@backup.command()
def restore(folder: FolderArgument, as_json: JsonOption = False) -> None:
    """Bring a backup back into an empty installation."""
    from coordinator.backup.restore import restore_backup  # noqa: PLC0415  # keeps `--help` fast
    from coordinator.client import Client  # noqa: PLC0415

    say = status_line(err())
    with Client(work=False, on_status=say) as client:
        restored = restore_backup(
            client.database, client.settings, folder.expanduser().absolute(), say
        )
    if as_json:
        print_json(restored)
        return
    out().print(f"restored {restored.rows:,} rows, {restored.media_files:,} files of recordings")
    if restored.missing:
        out().print(f"{restored.missing:,} recordings are not in the media store")


def move_to(
    database_url: Annotated[str, typer.Option("--database-url", help="The new, empty database.")],
    broker_url: Annotated[str, typer.Option("--broker-url", help="The new broker.")],
    storage_url: Annotated[
        str | None,
        typer.Option("--storage-url", help="A folder that all machines share; none: as it is."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Move this embedded installation to servers: its ledger, its recordings."""
    from coordinator.backup.move import move, new_settings  # noqa: PLC0415  # keeps `--help` fast
    from coordinator.client import Client  # noqa: PLC0415
    from schemas.settings import load_settings  # noqa: PLC0415

    settings = load_settings()
    target = new_settings(settings, database_url, broker_url, storage_url)
    say = status_line(err())
    with Client(settings, work=False, on_status=say) as client:
        moved = move(client, target, say)
    if as_json:
        print_json(moved)
        return
    out().print(f"moved {moved.rows:,} rows, {moved.media_files:,} files of recordings")
    out().print("set on every machine: CHORDSCRIBE_DATABASE_URL, CHORDSCRIBE_BROKER_URL as given,")
    out().print(f"CHORDSCRIBE_MEDIA_DIR={target.media_root}", markup=False)


def _tell(manifest: Manifest, *, as_json: bool) -> None:
    if as_json:
        print_json(manifest)
        return
    media = "" if manifest.with_media else ", which are only listed"
    out().print(
        f"{manifest.rows:,} rows of {len(manifest.tables)} tables (schema {manifest.revision}), "
        f"{manifest.media_files:,} files of recordings{media}, {manifest.media_bytes:,} bytes"
    )
    if manifest.missing:
        out().print(f"{manifest.missing:,} recordings were not in the media store")
