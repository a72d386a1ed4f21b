"""Source text becomes lines of safe, coloured HTML."""

from __future__ import annotations

from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hub.rendering import code, code_lines

HERE = Path(__file__)
STYLES = HERE.parents[2] / "static" / "css" / "syntax.css"


def words(html: str) -> str:
    found: list[str] = []
    reader = HTMLParser(convert_charrefs=True)
    reader.handle_data = found.append  # type: ignore[method-assign]
    reader.feed(html)
    reader.close()
    return "".join(found)


@pytest.mark.parametrize(
    "name", ["a.py", "a.json", "a.yaml", "README.md", "a.html", "a.diff", "unknown.zzz", "Makefile"]
)
def test_every_line_reads_as_it_was_written(name):
    text = HERE.read_text(encoding="utf-8") + "<script>alert(1)</script> & '\"\n\n\nlast"
    lines = code_lines(text, name)
    assert [words(line) for line in lines] == text.split("\n")
    assert not any("<script" in line for line in lines)


def test_the_classes_are_those_of_the_style_sheet():
    styles = STYLES.read_text(encoding="utf-8")
    assert all(f"& .{name} " in styles for name in code.CLASSES.values())


def test_a_string_over_two_lines_is_coloured_on_both():
    lines = code_lines('x = """one\ntwo"""\n', "a.py")
    assert len(lines) == 2
    assert all('class="s"' in line for line in lines)


def test_large_files_and_long_lines_come_plain():
    large = "x = 1\n" * 200_000
    assert code_lines(large, "a.py")[0] == "x = 1"
    assert unescape(code_lines("x = '" + "a" * 20_000 + "'", "a.py")[0]).startswith("x = 'a")


def test_what_takes_too_long_comes_plain(monkeypatch):
    monkeypatch.setattr(code, "TIME_LIMIT_SECONDS", -1)
    assert code_lines("x = 1\ny = 2\n", "a.py") == ["x = 1", "y = 2"]
