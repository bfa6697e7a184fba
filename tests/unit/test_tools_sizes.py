"""The size check finds what is too long and leaves the rest alone."""

from __future__ import annotations

from pathlib import Path

from tests.tools.sizes import (
    MAX_BODY_LINES,
    MAX_LINES,
    MAX_TEST_LINES,
    MEDIAN_LINES,
    NINETIETH_LINES,
    Size,
    file_faults,
    function_faults,
    sizes,
)


def _files(*lines: int) -> list[Size]:
    return sorted(
        (Size(Path(f"file_{number}.py"), count) for number, count in enumerate(lines)),
        key=lambda size: -size.lines,
    )


def test_blank_lines_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "a.py").write_text("one = 1\n\n  \n\ntwo = 2\n", encoding="utf-8")
    assert sizes(tmp_path, "schemas", "missing") == [Size(Path("schemas/a.py"), 2)]


def test_a_tree_within_the_budget_has_no_faults() -> None:
    product = _files(*[MEDIAN_LINES] * 9, NINETIETH_LINES)
    assert list(file_faults(product, _files(MAX_TEST_LINES))) == []


def test_a_file_over_the_limit_is_named_with_its_length() -> None:
    product = _files(*[1] * 20, MAX_LINES + 1)
    assert list(file_faults(product, [])) == [
        f"file_20.py: {MAX_LINES + 1} lines, at most {MAX_LINES}"
    ]


def test_a_test_may_be_longer_than_a_product_file() -> None:
    faults = list(file_faults([], _files(MAX_LINES + 1, MAX_TEST_LINES + 1)))
    assert faults == [f"file_1.py: {MAX_TEST_LINES + 1} lines, at most {MAX_TEST_LINES}"]


def test_more_than_one_long_file_in_ten_is_a_fault_that_names_them() -> None:
    product = _files(*[1] * 8, NINETIETH_LINES + 1, NINETIETH_LINES + 2)
    faults = "\n".join(file_faults(product, []))
    assert f"90th percentile: {NINETIETH_LINES + 1}" in faults
    assert "file_8.py" in faults
    assert "file_9.py" in faults


def test_a_median_over_the_limit_is_a_fault() -> None:
    faults = list(file_faults(_files(*[MEDIAN_LINES + 1] * 3), []))
    assert len(faults) == 1
    assert "median" in faults[0]


def test_a_function_is_measured_by_its_body_without_the_docstring(tmp_path: Path) -> None:
    documented = '    """Says\n' + "\n".join("    more" for _ in range(50)) + '\n    """\n'
    body = "    value = 1\n"
    (tmp_path / "a.py").write_text(
        f"def short():\n{documented}{body * MAX_BODY_LINES}"
        f"class Long:\n    def method(self):\n{('    ' + body) * (MAX_BODY_LINES + 1)}"
        'def empty():\n    """Nothing."""\n',
        encoding="utf-8",
    )
    faults = list(function_faults(tmp_path, [Path("a.py")]))
    assert len(faults) == 1
    assert "method" in faults[0]
    assert str(MAX_BODY_LINES + 1) in faults[0]


def test_a_migration_is_a_list_of_statements_of_any_length(tmp_path: Path) -> None:
    folder = tmp_path / "ops/migrations/versions"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text("def upgrade():\n" + "    x = 1\n" * 99, encoding="utf-8")
    assert list(function_faults(tmp_path, [Path("ops/migrations/versions/a.py")])) == []
