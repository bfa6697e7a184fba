"""The roles that run, each kept alive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordinator.local.keeper import Keeper

if TYPE_CHECKING:
    from collections.abc import Callable

    from coordinator.local.children import Child, Children
    from coordinator.local.commands import Command


class Work:
    """Roles by name; each has the command of its first start, maybe another for the later ones."""

    def __init__(self, children: Children, notice: Callable[[str], None]) -> None:
        """Begin with none; `notice` is told when one is given up."""
        self._children = children
        self._notice = notice
        self._first: dict[str, Command] = {}
        self._again: dict[str, Command] = {}
        self._keepers: dict[str, Keeper] = {}

    def names(self) -> set[str]:
        """Return the names of the roles that are kept alive."""
        return set(self._keepers)

    def runs(self, name: str) -> bool:
        """Whether a role is kept alive."""
        return name in self._keepers

    def start(self, first: Command, again: Command | None = None) -> None:
        """Start a role unless it runs.

        Raises:
            OSError: the program cannot be executed.
        """
        if self.runs(first.name):
            return
        given_up = first.name in self._first
        self._first[first.name] = first
        self._again[first.name] = again or first
        self._keep(self._again[first.name] if given_up else first)

    async def stop(self) -> None:
        """Stop all roles, together."""
        keepers, self._keepers = self._keepers, {}
        children = [await keeper.let_go() for keeper in keepers.values()]
        await self._children.stop(children)

    def start_over(self) -> None:
        """Start every role that ever ran as if for the first time."""
        for command in self._first.values():
            self._keep(command)

    def _keep(self, command: Command) -> None:
        name = command.name

        async def start_again() -> Child:
            return self._children.start(self._again[name])

        def give_up(why: str) -> None:
            del self._keepers[name]
            self._notice(why)

        child = self._children.start(command)
        self._keepers[name] = Keeper(self._children, start_again, give_up)
        self._keepers[name].keep(child)
