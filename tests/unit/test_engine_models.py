"""A request reaches the models that the operator offers, and no other folder of the worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine_workers.engines.faster_whisper import FasterWhisper
from engine_workers.errors import UnsupportedError
from engine_workers.options import engine_options
from engine_workers.store.places import Models


@pytest.fixture
def models(tmp_path: Path) -> Models:
    """Return a models directory with a model, and one that is linked from elsewhere."""
    root = tmp_path / "models"
    (root / "base.en").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    return Models(root)


def model_asked(asked: str, models: Models | None) -> Any:  # noqa: ANN401  # as options are
    """Return what a request for that model gives the engine."""
    options: Any = engine_options(FasterWhisper, {}, {"model": asked}, models)
    return options.model


@pytest.mark.parametrize("name", ["base.en", "linked"])
def test_a_request_names_a_folder_in_the_models_directory(models: Models, name: str) -> None:
    assert models.root is not None
    assert model_asked(name, models) == str(models.root / name)
    assert model_asked(str(models.root / name), models) == str(models.root / name)


@pytest.mark.parametrize("name", ["large-v3", "Systran/faster-whisper-large-v3"])
def test_a_name_that_no_folder_has_stays_a_name(models: Models, name: str) -> None:
    assert model_asked(name, models) == name


@pytest.mark.parametrize(
    "path",
    [
        "/etc",
        "~/models",
        "./x",
        ".",
        "..",
        "base.en/../../elsewhere",
        "{root}/../elsewhere",
        "{root}x",
        "\\\\host\\share",
        "file:///etc/passwd",
        "hf://someone/some",
        "base.en\0",
    ],
)
def test_no_request_reaches_another_folder(models: Models, path: str) -> None:
    with pytest.raises(UnsupportedError, match="chordscribe models list"):
        model_asked(path.format(root=models.root), models)
    with pytest.raises(UnsupportedError, match="models directory"):
        model_asked(path.format(root=models.root), None)


def test_a_folder_of_the_workers_own_place_is_none_of_a_requests(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert model_asked("elsewhere", models) == "elsewhere", "a mere name, not the folder here"


def test_the_operator_may_name_any_folder(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    elsewhere = str(tmp_path / "elsewhere")
    assert models.root is not None
    for given, placed in {
        elsewhere: elsewhere,
        "elsewhere": elsewhere,
        "~/elsewhere": elsewhere,
        "base.en": str(models.root / "base.en"),
        "large-v3": "large-v3",
    }.items():
        options: Any = engine_options(FasterWhisper, {"model": given}, {"beam_size": 1}, models)
        assert (options.model, options.beam_size) == (placed, 1)
