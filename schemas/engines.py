"""What is known of an engine without loading it."""

from __future__ import annotations

from schemas.base import Contract


class EngineStatus(Contract):
    """An engine that an installed package names."""

    name: str
    #: Whether everything it imports is there.
    installed: bool
    #: Why it cannot run here, with what to do about it; None when it can.
    problem: str | None = None
    #: The distribution that provides it.
    package: str | None = None
    #: Languages as BCP-47 primary tags; empty means it does not say.
    languages: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    #: The model it would load with the present settings; None when it needs none.
    model: str | None = None
    #: That model's licence; None: not known.
    model_licence: str | None = None
    #: Whether it is asked, where it can run, when a request names no engine.
    by_default: bool = True
    #: True for an engine that hears nothing and serves tests alone; never chosen by default.
    testing: bool = False
