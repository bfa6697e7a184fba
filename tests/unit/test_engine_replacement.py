"""A pool's child that dies is replaced at once, however late the system reports its end."""

from __future__ import annotations

from collections.abc import Callable

from engine_workers.replacement import GIVE_UP_SECONDS, LOOK_SECONDS, replace_soon


class Pool:
    """A pool whose dying child is seen to have ended at the look of that number."""

    def __init__(self, ends_at: int) -> None:
        """Begin with a child that is about to end."""
        self._pool = ["child"]
        self.ends_at, self.looks = ends_at, 0

    def _untrack_child_process(self, *_: object) -> None:
        pass

    def maintain_pool(self) -> None:
        """Look at the child."""
        self.looks += 1
        if self.looks == self.ends_at:
            self._pool = ["another"]


class Hub:
    """An event loop that waits for nothing."""

    def __init__(self) -> None:
        """Begin without a callback."""
        self.waiting: list[Callable[[], None]] = []
        self.waited = 0.0

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Keep the callback."""
        self.waited += seconds
        self.waiting.append(callback)

    def run(self) -> None:
        """Call back until nothing is left."""
        while self.waiting:
            self.waiting.pop()()


def test_a_child_that_is_about_to_end_is_looked_at_until_it_has() -> None:
    pool, hub = Pool(ends_at=4), Hub()
    replace_soon(pool, hub, "child")
    hub.run()
    assert pool.looks == 4
    assert hub.waited <= 4 * LOOK_SECONDS < GIVE_UP_SECONDS / 10


def test_a_child_that_has_ended_is_looked_at_once() -> None:
    pool, hub = Pool(ends_at=1), Hub()
    replace_soon(pool, hub, "child")
    assert (pool.looks, hub.waiting) == (1, [])
