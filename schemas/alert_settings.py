"""What is watched, who is told of it: the settings of alerts."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator
from pydantic.functional_validators import AfterValidator

from schemas.alert_rules import DEFAULT_RULES, METRICS, SEVERITIES, Comparison, Rule, Severity

#: The name of a rule: lower case letters, digits, dashes, underscores.
RuleName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
#: What a rule of one's own cannot do without.
NEEDED = ("metric", "comparison", "threshold")
_LINE_BREAKS = frozenset("\r\n\x00")


def _known_metric(name: str) -> str:
    if name in METRICS:
        return name
    close = get_close_matches(name, METRICS, n=1)
    offer = f"did you mean {close[0]}?" if close else f"there are {', '.join(METRICS)}"
    message = f"unknown metric {name[:60]!r}; {offer}"
    raise ValueError(message)


def _one_line(text: str) -> str:
    if _LINE_BREAKS & set(text):
        message = "it has to be one line"
        raise ValueError(message)
    return text


def _web_address(address: SecretStr) -> SecretStr:
    scheme, colon, rest = address.get_secret_value().partition("://")
    if scheme not in {"http", "https"} or not colon or not rest.strip("/"):
        message = "a webhook's address begins with https:// or http://"
        raise ValueError(message)
    return address


Line = Annotated[str, AfterValidator(_one_line)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class AlertRuleSettings(_Section):
    """A rule of one's own, or what differs from the default rule of that name."""

    #: What is watched: a metric of docs/alerts.md. A rule of one's own needs it, a comparison, a
    #: threshold; None: as the default rule has it.
    metric: Annotated[str, AfterValidator(_known_metric)] | None = None
    #: How the value is compared with the threshold.
    comparison: Comparison | None = None
    #: The value beyond which the alert begins.
    threshold: float | None = None
    #: Seconds for which that has to last until the alert fires.
    for_seconds: Annotated[float, Field(ge=0)] | None = None
    #: The value that has to be reached again before the alert is over; None: the threshold.
    clear_threshold: float | None = None
    #: Seconds for which it has to stay there.
    clear_seconds: Annotated[float, Field(ge=0)] | None = None
    #: How loud it is.
    severity: Severity | None = None
    #: Whether nobody is told of it; `chordscribe alerts silence` does that for a while.
    silenced: bool | None = None
    #: False: it is not watched at all.
    enabled: bool | None = None


class WebhookSettings(_Section):
    """The HTTP endpoint that alerts are posted to."""

    #: Its address, `https://…`; None: there is none. A redirect is never followed.
    url: Annotated[SecretStr, AfterValidator(_web_address)] | None = None
    #: What each message is signed with, as Standard Webhooks has it: `whsec_` and base64, or any
    #: text; None: not signed.
    secret: SecretStr | None = None
    #: Seconds that all of one attempt may take.
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0
    #: The least severity that is told there.
    least: Severity = "info"


class EmailSettings(_Section):
    """The mail server that alerts are sent by."""

    #: The server; None: no mail is sent.
    host: Line | None = None
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    #: How the connection is encrypted: `starttls` and `tls` check the server's certificate.
    encryption: Literal["starttls", "tls", "none"] = "starttls"
    #: The name to log in with; None: no log-in.
    user: str | None = None
    #: The password to log in with.
    password: SecretStr | None = None
    #: From whom, to whom.
    sender: Line = "chordscribe@localhost"
    recipients: tuple[Line, ...] = ()
    #: Seconds that the server may be silent.
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 20.0
    #: The least severity that is mailed.
    least: Severity = "info"

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.host is not None and not self.recipients:
            message = "a mail server without recipients: name some"
            raise ValueError(message)
        return self


class CommandSettings(_Section):
    """The program that is run for each alert."""

    #: The program with its arguments, run without a shell, the alert as JSON on its standard input;
    #: none: nothing is run.
    argv: tuple[str, ...] = ()
    #: Seconds after which it is killed with all that it started.
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    #: The least severity that it is run for.
    least: Severity = "info"


class AlertSettings(_Section):
    """What is watched, who is told."""

    #: Seconds between two looks; 0: nothing is watched.
    every_seconds: Annotated[float, Field(ge=0)] = 15.0
    #: Whether the default rules hold besides those named below.
    defaults: bool = True
    #: Seconds after which a firing alert is told of again; 0: never.
    repeat_seconds: Annotated[float, Field(ge=0)] = 4 * 3600.0
    #: Seconds that the shares of failures, and the dead leases, are counted over.
    window_seconds: Annotated[float, Field(gt=0)] = 900.0
    #: Ended runs of an engine within the window below which no share of failures is told.
    least_runs: Annotated[int, Field(ge=1)] = 10
    #: Seconds that the growth of memory is measured over.
    growth_seconds: Annotated[float, Field(gt=0)] = 3600.0
    #: Seconds for which an undelivered message is tried again.
    give_up_seconds: Annotated[float, Field(ge=0)] = 24 * 3600.0
    #: Seconds before the second attempt; doubled with each, up to ten minutes.
    retry_seconds: Annotated[float, Field(gt=0)] = 5.0
    webhook: WebhookSettings = WebhookSettings()
    email: EmailSettings = EmailSettings()
    command: CommandSettings = CommandSettings()
    rules: dict[RuleName, AlertRuleSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole_rules(self) -> Self:
        for name, own in self.rules.items():
            known = DEFAULT_RULES.get(name) if self.defaults else None
            lacking = [it for it in NEEDED if known is None and getattr(own, it) is None]
            if lacking:
                message = f"rules.{name}: a rule of your own needs {', '.join(lacking)} too"
                raise ValueError(message)
            problem = self.watched()[name].problem()
            if problem:
                message = f"rules.{name}: {problem}"
                raise ValueError(message)
        return self

    def watched(self) -> dict[str, Rule]:
        """Return all rules by name, the default ones as they were changed."""
        found = dict(DEFAULT_RULES) if self.defaults else {}
        for name, own in self.rules.items():
            given = own.model_dump(exclude_none=True)
            if name in found:
                found[name] = _changed(found[name], given)
            elif all(it in given for it in NEEDED):
                found[name] = Rule(**given)
        return found


def _changed(rule: Rule, given: dict[str, Any]) -> Rule:
    """Return a default rule with what is given; its way back goes where it would lead nowhere."""
    changed = replace(rule, **given)
    if changed.problem() and "clear_threshold" not in given:
        return replace(changed, clear_threshold=None)
    return changed


def loud_enough(severity: str, least: Severity) -> bool:
    """Return whether a severity is at least another."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(least)
