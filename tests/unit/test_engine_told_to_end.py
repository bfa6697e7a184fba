"""An engine that exits has failed; one whose worker is told to end has not."""

from __future__ import annotations

import signal

import pytest

from engine_workers.failures import told_to_end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_the_pools_handler_of_a_signal_tells_it_to_end(number: signal.Signals) -> None:
    assert told_to_end(SystemExit(-(256 - number)))


@pytest.mark.parametrize(
    "error", [SystemExit(), SystemExit(1), SystemExit(-1), SystemExit("bye"), RuntimeError()]
)
def test_an_engines_own_exit_does_not(error: BaseException) -> None:
    assert not told_to_end(error)
