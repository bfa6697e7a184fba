"""Which engines are installed here, and what ails those that cannot run."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING

from engine_workers.engines.base import Engine, EngineInfo
from engine_workers.errors import NotInstalledError, RunError
from engine_workers.options import engine_options
from engine_workers.store.places import Models
from schemas.engines import EngineStatus
from schemas.names import ENGINE_NAME_PATTERN, GROUP_ENGINES

if TYPE_CHECKING:
    from schemas.settings import Settings

log = logging.getLogger(__name__)


def engine_names() -> tuple[str, ...]:
    """Return the well-formed names that installed packages give to engines, sorted."""
    return tuple(name for name in sorted(_offers()) if re.fullmatch(ENGINE_NAME_PATTERN, name))


def find_engine(name: str) -> type[Engine]:
    """Import the class of one engine, and nothing of any other.

    Raises:
        NotInstalledError: no package, or more than one, brings it; something that it needs is
            missing; or its code does not import. The message says what to do.
    """
    offers = _offers().get(name, [])
    if not offers:
        message = f"no installed package brings an engine '{name}'"
        raise NotInstalledError(message)
    if not re.fullmatch(ENGINE_NAME_PATTERN, name):
        message = f"'{name}' is no engine's name: lower case letters, digits and underscores"
        raise NotInstalledError(message)
    if len(offers) > 1:
        packages = " and ".join(sorted(_package(offer) or offer.value for offer in offers))
        message = f"'{name}' is brought by {packages}: uninstall all but one"
        raise NotInstalledError(message)
    engine = _import(offers[0])
    missing = [module for module in engine.info.requires if not _is_installed(module)]
    if missing:
        install = " ".join(f"'{it}'" for it in (engine.info.install or " ".join(missing)).split())
        message = f"{', '.join(missing)} is missing: pip install {install}"
        raise NotInstalledError(message)
    return engine


def describe(settings: Settings) -> list[EngineStatus]:
    """Return every engine that an installed package names; a broken one says why.

    Args:
        settings: they decide which model an engine would load.
    """
    return [_describe(name, settings) for name in sorted(_offers())]


def package_version(name: str) -> str:
    """Return the version of the distribution that brings the engine `name`; empty if unknown."""
    offers = _offers().get(name, [])
    return offers[0].dist.version if offers and offers[0].dist else ""


def _describe(name: str, settings: Settings) -> EngineStatus:
    package = _package(_offers()[name][0])
    try:
        engine = find_engine(name)
    except NotInstalledError as error:
        return EngineStatus(name=name, installed=False, problem=str(error), package=package)
    found = EngineStatus(
        name=name,
        installed=True,
        package=package,
        languages=engine.info.languages,
        devices=engine.info.devices,
        by_default=engine.info.by_default,
        testing=engine.info.testing,
    )
    try:
        configured, models = settings.engines.get(name, {}), Models(settings.models_root)
        made = engine(engine_options(engine, configured, models=models))
        licence = engine.info.model_licences.get(made.model or "")
        facts = {"languages": made.languages, "model": made.model, "model_licence": licence}
    except RunError as error:
        return found.model_copy(update={"problem": str(error)})
    except Exception as error:  # the plug-in's own code
        log.info("the engine %s is broken", name, exc_info=True)
        return found.model_copy(update={"problem": f"{type(error).__name__}: {error}"})
    return found.model_copy(update=facts)


def _offers() -> dict[str, list[EntryPoint]]:
    offers: dict[str, list[EntryPoint]] = defaultdict(list)
    for entry_point in entry_points(group=GROUP_ENGINES):
        # One distribution may be found twice: installed, and as the checkout it is run from.
        if entry_point.value not in (offer.value for offer in offers[entry_point.name]):
            offers[entry_point.name].append(entry_point)
    return offers


def _package(offer: EntryPoint) -> str | None:
    return offer.dist.name if offer.dist else None


def _import(offer: EntryPoint) -> type[Engine]:
    try:
        found = offer.load()
    except (Exception, SystemExit) as error:  # the plug-in's own code
        log.info("the engine %s is broken", offer.name, exc_info=True)
        message = f"{offer.value} does not import: {type(error).__name__}: {error}"
        raise NotInstalledError(message) from error
    if not (isinstance(found, type) and issubclass(found, Engine)):
        message = f"{offer.value} is no subclass of engine_workers.engines.base.Engine"
        raise NotInstalledError(message)
    if not isinstance(getattr(found, "info", None), EngineInfo):
        message = f"{offer.value} has no `info`, an EngineInfo"
        raise NotInstalledError(message)
    if found.info.name != offer.name:
        message = f"{offer.value} calls itself '{found.info.name}', its package '{offer.name}'"
        raise NotInstalledError(message)
    return found


def _is_installed(module: str) -> bool:
    """Report whether a module can be found, without importing its native libraries."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # its package is missing, or in the middle of an import
        return False
