"""The command `chordscribe models`."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from engine_workers.errors import ModelMissingError
from engine_workers.store.shelf import Shelved, check, pull, remove, shelved
from schemas.settings import load_settings

models = typer.Typer(
    help="The models on this machine: list, pull, verify, remove.",
    no_args_is_help=True,
    add_completion=False,
)

#: Bytes in a megabyte.
MEGABYTE = 10**6

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]
Name = Annotated[str, typer.Argument(help="The name of the model's folder.")]


class HubName(StrEnum):
    """Where models come from."""

    HUGGINGFACE = "huggingface"
    MODELSCOPE = "modelscope"


@models.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """List the models in the models directory."""
    root = load_settings().models_root
    found = list(shelved(root))
    if as_json:
        _print_json({"folder": str(root), "models": [_facts(model) for model in found]})
        return
    if not found:
        print(f"no models in {root}: `chordscribe models pull OWNER/NAME` brings one")
        return
    table = Table("Model", "From", "Revision", "MB", box=None, pad_edge=False)
    for model in found:
        locked = model.locked
        state = escape(model.name if model.folder.is_dir() else f"{model.name} (gone)")
        if locked is None:
            table.add_row(state, "put there by hand", "", "")
        else:
            source = f"{locked.hub} {locked.repository}"
            size = f"{locked.bytes / MEGABYTE:.0f}"
            table.add_row(state, escape(source), locked.revision[:12], size)
    Console(highlight=False).print(table)


@models.command("pull")
def pull_(
    repository: Annotated[str, typer.Argument(help="OWNER/NAME on the hub.")],
    *,
    hub: Annotated[HubName, typer.Option("--from", help="The hub.")] = HubName.HUGGINGFACE,
    revision: Annotated[str | None, typer.Option(help="A branch, tag or commit.")] = None,
    name: Annotated[str | None, typer.Option(help="What to call the model here.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only files like *.onnx.")] = None,
    as_json: AsJson = False,
) -> None:
    """Bring a model from a hub, and write down the sums of its files."""
    root = load_settings().models_root
    model = pull(root, repository, hub=hub.value, revision=revision, name=name, only=only or ())
    if as_json:
        _print_json(_facts(model))
    else:
        print(f"{model.name}: {model.folder}")


@models.command("verify")
def verify_(
    name: Annotated[str | None, typer.Argument(help="Its folder's name; else all.")] = None,
) -> None:
    """Compare a model's files, or every model's, with what they were when they came."""
    root = load_settings().models_root
    names = [name] if name else [model.name for model in shelved(root) if model.locked]
    failed = False
    for one in names:
        try:
            check(root, one)
            print(f"{one}: as it came")
        except ModelMissingError as error:
            print(f"{one}: {error}")
            failed = True
    if failed:
        raise typer.Exit(1)


@models.command("remove")
def remove_(name: Name) -> None:
    """Take a model that was pulled away, from the hub's cache too."""
    remove(load_settings().models_root, name)
    print(f"{name}: removed")


def _facts(model: Shelved) -> dict[str, Any]:
    locked = model.locked.model_dump(mode="json") if model.locked else None
    there = model.folder.is_dir()
    return {"name": model.name, "folder": str(model.folder), "there": there, "locked": locked}


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
