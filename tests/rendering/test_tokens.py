"""Colours keep WCAG AA in both themes; scripts and styles lie in files only."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOKENS = (ROOT / "static/css/tokens.css").read_text(encoding="utf-8")
PAIRS = re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", TOKENS)
COLOURS = {name: (light, dark) for name, light, dark in PAIRS}
GROUNDS = ("paper", "surface", "raised", "hover")
TEXTS = ("ink", "muted", "accent", "pass", "fail", "wait", "run")
CODE = [name for name in COLOURS if name.startswith("code-")]


def luminance(colour: str) -> float:
    """Relative luminance. Source: WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


WANTED = [
    *((text, ground, 4.5) for text in TEXTS for ground in GROUNDS),
    *((tone, f"{tone}-soft", 4.5) for tone in ("pass", "fail", "wait", "run", "accent")),
    *((name, ground, 4.5) for name in CODE for ground in ("surface", "raised", "wait-soft")),
    ("on-accent", "accent", 4.5),
    *(("edge", ground, 3.0) for ground in ("paper", "surface", "raised")),
    *(("focus", ground, 3.0) for ground in GROUNDS),
]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "ground", "least"), WANTED)
def test_contrast(theme, front, ground, least):
    assert contrast(COLOURS[front][theme], COLOURS[ground][theme]) >= least


TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_inline_style_or_script(template):
    text = template.read_text(encoding="utf-8")
    assert not re.search(r"\sstyle\s*=", text)
    assert not re.search(r"\son[a-z]+\s*=", text)
    assert "<style" not in text and "javascript:" not in text
    assert all("src=" in opening for opening in re.findall(r"<script[^>]*>", text))


def test_markup_is_made_in_one_place():
    found = [
        path.relative_to(ROOT).as_posix()
        for app in ("hub", "reviews", "training")
        for path in (ROOT / app).rglob("*.py")
        if "mark_safe" in path.read_text(encoding="utf-8")
    ]
    assert found == ["hub/templatetags/hub_markup.py"]
    assert not [path for path in TEMPLATES if re.search(r"\|safe\b", path.read_text("utf-8"))]


def test_vendored_files_are_those_that_were_reviewed():
    folder = ROOT / "static/vendor"
    listed = re.findall(r"\| (\S+/\S+) \| ([0-9a-f]{64}) \|", (folder / "README.md").read_text())
    assert len(listed) == 9
    for name, digest in listed:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        assert (folder / name).parent.joinpath("LICENSE").is_file()


def test_every_icon_a_template_names_is_drawn():
    sprite = (ROOT / "static/icons/sprite.svg").read_text(encoding="utf-8")
    drawn = set(re.findall(r'<symbol id="([\w-]+)"', sprite))
    texts = [path.read_text(encoding="utf-8") for path in TEMPLATES]
    named = {
        name
        for text in texts
        for pattern in (r'icon\.html" with name="([\w-]+)"', r'\sicon="([\w-]+)"')
        for name in re.findall(pattern, text)
    }
    marks = (ROOT / "hub/templatetags/hub_format.py").read_text(encoding="utf-8")
    named |= set(re.findall(r'State\("\w+", "([\w-]+)"', marks))
    assert named <= drawn
