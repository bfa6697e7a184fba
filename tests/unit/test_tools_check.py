"""The check command runs everything and fails when anything fails."""

from __future__ import annotations

import pytest

from tests.tools import check


def test_all_checks_run_although_the_first_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        check,
        "CHECKS",
        {
            "bad": ("-c", "import sys; print('what is wrong'); sys.exit(3)"),
            "good": ("-c", "print('nobody wants to read this')"),
        },
    )
    assert check.main([]) == 1
    output = capsys.readouterr().out
    assert "what is wrong" in output
    assert "nobody wants" not in output
    summary = output.splitlines()[-2:]
    assert summary[0].startswith("bad      FAILED")
    assert summary[1].startswith("good     passed")


def test_one_check_can_be_run_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "CHECKS", {"good": ("-c", ""), "bad": ("-c", "assert 0")})
    assert check.main(["good"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_an_unknown_check_is_a_usage_error_that_names_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert check.main(["lint", "spelling"]) == 2
    output = capsys.readouterr().out
    assert "spelling" in output
    assert "imports" in output
