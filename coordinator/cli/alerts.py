"""The commands about alerts."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from coordinator.cli.terminal import err, out, print_json, status_line
from schemas.errors import UsageError

if TYPE_CHECKING:
    from coordinator.alerts.telling import AlertMessage, AlertView
    from schemas.alert_rules import Rule

alerts = typer.Typer(add_completion=False, no_args_is_help=True, help="What is wrong, who is told.")
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

#: Alerts that are over which `--all` shows.
MOST_OVER = 100
_COLOURS = {"firing": "red", "pending": "yellow", "resolved": "green"}


@alerts.callback()
def _alerts() -> None:
    """What is wrong, who is told."""


@alerts.command("list")
def list_(
    everything: Annotated[
        bool, typer.Option("--all", help="Also those that are over, the last hundred.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the alerts that fire, or are about to."""
    from coordinator.client import Client  # noqa: PLC0415  # keeps `--help` fast

    with Client(work=False, on_status=status_line(err())) as client:
        found = client.alerts(over=MOST_OVER if everything else 0)
    if as_json:
        print_json({"alerts": [view.model_dump(mode="json") for view in found]})
        return
    if not found:
        out().print("no alerts")
        return
    table = Table("state", "severity", "since (UTC)", "what", "silent until (UTC)", box=None)
    for view in found:
        table.add_row(*_cells(view))
    out().print(table)


def _cells(view: AlertView) -> tuple[str, ...]:
    colour = _COLOURS[view.state]
    quiet = f"{view.silenced_until:%Y-%m-%d %H:%M}" if view.silenced_until else ""
    return (
        f"[{colour}]{view.state}[/{colour}]",
        view.severity,
        f"{view.since:%Y-%m-%d %H:%M:%S}",
        escape(view.summary),
        quiet,
    )


@alerts.command()
def rules(as_json: JsonOption = False) -> None:
    """Show the rules in force, as this machine is configured."""
    from schemas.settings import load_settings  # noqa: PLC0415  # keeps `--help` fast

    watched = load_settings().alerts.watched()
    if as_json:
        print_json({"rules": {name: asdict(rule) for name, rule in watched.items()}})
        return
    table = Table("rule", "fires when", "over", "severity", box=None)
    for name, rule in watched.items():
        table.add_row(name, *_rule_cells(rule))
    out().print(table)


def _rule_cells(rule: Rule) -> tuple[str, str, str]:
    lasting = f" for {rule.for_seconds:g} s" if rule.for_seconds else ""
    clear = rule.threshold if rule.clear_threshold is None else rule.clear_threshold
    quiet = " (silenced)" if rule.silenced else ""
    quiet = " (not watched)" if not rule.enabled else quiet
    return (
        f"{rule.metric} {rule.comparison} {rule.threshold:g}{lasting}",
        f"back at {clear:g} for {rule.clear_seconds:g} s",
        f"{rule.severity}{quiet}",
    )


@alerts.command("test")
def try_out(as_json: JsonOption = False) -> None:
    """Send a test message by every channel that is configured here; 1: one did not take it."""
    from coordinator.alerts.delivering import try_channels  # noqa: PLC0415  # keeps help fast
    from schemas.settings import load_settings  # noqa: PLC0415  # likewise

    found = try_channels(load_settings().alerts, _trial())
    if not found:
        message = "no channel is configured: alerts go to the coordinator's log alone"
        raise UsageError(message)
    if as_json:
        print_json({"channels": [{"channel": it, "problem": why} for it, why in found.items()]})
    else:
        for channel, problem in found.items():
            out().print(f"{channel}: {problem or 'delivered'}", markup=False)
    if any(found.values()):
        raise typer.Exit(1)


def _trial() -> AlertMessage:
    from datetime import UTC, datetime  # noqa: PLC0415  # keeps `--help` fast

    from coordinator.alerts.telling import AlertMessage, News  # noqa: PLC0415  # likewise

    now = datetime.now(UTC)
    return AlertMessage(
        news=News.TEST,
        rule="test",
        severity="critical",
        labels={},
        metric="",
        value=None,
        threshold=0.0,
        summary="a test message: nothing is wrong",
        since=now,
        at=now,
    )


@alerts.command()
def silence(
    rule: Annotated[str, typer.Argument(help="Which rule's alerts; `all`: every one's.")],
    lasting: Annotated[
        str, typer.Option("--for", help="How long: 30m, 2h, 3d; 30 days at most.")
    ] = "1h",
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="NAME=VALUE", help="Only alerts of that, repeatable."),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
    end: Annotated[bool, typer.Option("--end", help="End the rule's silences instead.")] = False,
) -> None:
    """Have nobody told of a rule's alerts for a while; they are watched all the same."""
    from coordinator.client import Client  # noqa: PLC0415  # keeps `--help` fast

    seconds, labels = _seconds(lasting), _labels(label or [])
    with Client(work=False, on_status=status_line(err())) as client:
        if end:
            ended = client.end_silences(rule)
            out().print(f"{ended} silences ended")
            return
        until = client.silence_alerts(rule, seconds, labels=labels, reason=reason)
    out().print(f"nobody is told of {rule} until {until:%Y-%m-%d %H:%M:%S} UTC", markup=False)


def _seconds(text: str) -> float:
    from coordinator.asking import read_deadline  # noqa: PLC0415  # keeps `--help` fast

    found = read_deadline(text)
    if not isinstance(found, timedelta):
        message = f"'{text[:60]}' is no length of time: write 30m, 2h or 3d"
        raise UsageError(message)
    return found.total_seconds()


def _labels(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            message = f"'{pair[:60]}' is no label: write NAME=VALUE"
            raise UsageError(message)
        found[name] = value
    return found
