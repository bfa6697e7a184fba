"""One thread calls what is to be called again and again, between runs too."""

from __future__ import annotations

import os
import threading

from engine_workers.ticker import Ticker

#: Seconds that a test waits for what has to come.
PATIENCE = 10


class Step:
    """Counts its calls."""

    def __init__(self, calls: int = 2) -> None:
        """Tell when it was called so often."""
        self.called, self.calls, self.enough = 0, calls, threading.Event()
        self.threads: set[int] = set()

    def __call__(self) -> None:
        """Be called."""
        self.called += 1
        self.threads.add(threading.get_ident())
        if self.called >= self.calls:
            self.enough.set()


def test_a_step_is_called_again_and_again_until_it_is_removed() -> None:
    ticker, step = Ticker("test"), Step(calls=3)
    ticker.add(step, 0.01)
    assert step.enough.wait(PATIENCE)
    ticker.remove(step)
    called, other = step.called, Step(calls=3)
    ticker.add(other, 0.01)
    assert other.enough.wait(PATIENCE)
    assert step.called == called
    assert step.threads == other.threads  # no thread for each
    ticker.remove(other)


def test_a_step_that_shall_come_sooner_is_not_kept_waiting_by_a_slow_one() -> None:
    ticker, slow, quick = Ticker("test"), Step(), Step()
    ticker.add(slow, 3600)
    ticker.add(quick, 0.01)
    assert quick.enough.wait(PATIENCE)
    ticker.remove(slow)
    ticker.remove(quick)


def test_removing_waits_for_the_call_under_way() -> None:
    ticker, begun, go_on, ended = Ticker("test"), threading.Event(), threading.Event(), []

    def step() -> None:
        begun.set()
        go_on.wait(PATIENCE)
        ended.append(1)

    ticker.add(step, 0.01)
    assert begun.wait(PATIENCE)
    threading.Timer(0.05, go_on.set).start()
    ticker.remove(step)
    assert ended == [1]


def test_a_step_that_fails_keeps_no_other_from_being_called() -> None:
    ticker, step = Ticker("test"), Step()

    def fails() -> None:
        raise ZeroDivisionError

    ticker.add(fails, 0.01)
    ticker.add(step, 0.01)
    assert step.enough.wait(PATIENCE)
    ticker.remove(fails)
    ticker.remove(step)


def test_a_step_may_remove_itself() -> None:
    ticker, ended = Ticker("test"), threading.Event()

    def once() -> None:
        ticker.remove(once)
        ended.set()

    ticker.add(once, 0.01)
    assert ended.wait(PATIENCE)


def test_a_forked_child_has_a_thread_of_its_own() -> None:
    ticker, before = Ticker("test"), Step()
    ticker.add(before, 0.01)
    assert before.enough.wait(PATIENCE)
    ticker.remove(before)
    child = os.fork()
    if child == 0:
        step = Step()
        ticker.add(step, 0.01)
        os._exit(0 if step.enough.wait(PATIENCE) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
