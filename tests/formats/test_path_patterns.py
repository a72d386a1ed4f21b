"""Patterns of .gitattributes and .gitignore, held against git itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hub.formats.path_patterns import IgnoreRules, LargeFileRules

PATHS = [
    "a.bin", "b/a.bin", "b/c/a.bin", "a.BIN", "a.bin.txt", ".bin", "bin", "saved_model/x",
    "saved_model/x/y.txt", "x/saved_model/y", "data/a.txt", "data/b/a.txt", "a.tar.gz", "x.tar.",
    "events.out.tfevents.1", "a b.txt", "f1.txt", "f2.txt", "fx.txt", "f.txt", "logs/x.log",
    "x/logs/y.log", "logs", "keep.log", "x/keep.log", "deep/a/b/c/d.txt", "a/b", "a/x/b", "a/x/y/b",
]  # fmt: skip
ATTRIBUTES = [
    "*.bin filter=lfs diff=lfs merge=lfs -text",
    "saved_model/**/* filter=lfs diff=lfs merge=lfs -text",
    "*.tar.* filter=lfs\n*tfevents* filter=lfs",
    "data/*.txt filter=lfs",
    "/a.bin filter=lfs",
    "*.bin filter=lfs\nb/*.bin -filter",
    "*.bin filter=lfs\n*.bin !filter",
    "*.bin filter=other\n# *.txt filter=lfs\n",
    "f[12].txt filter=lfs\nf?.txt text",
    "**/a.txt filter=lfs",
    "a/**/b filter=lfs",
    "deep/** filter=lfs",
    "data/b/a.txt filter=lfs",
]
IGNORES = [
    "*.log",
    "*.log\n!keep.log",
    "logs/",
    "/logs",
    "logs/\n!logs/x.log",
    "data/*.txt",
    "**/a.txt",
    "a/**/b",
    "deep/**",
    "f[12].txt\n# a comment\n\nbin",
    "x/logs",
]


@pytest.fixture(scope="module")
def work_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("patterns")
    subprocess.run(["git", "init", "-q", str(path)], check=True)
    return path


def git(work_tree: Path, *arguments: str) -> str:
    stdin = "\0".join(PATHS) + "\0"
    done = subprocess.run(
        ["git", *arguments, "--stdin", "-z"],
        cwd=work_tree,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@pytest.mark.parametrize("text", ATTRIBUTES)
def test_large_files_are_those_that_git_lfs_would_take(work_tree, text):
    (work_tree / ".gitattributes").write_text(text)
    answers = git(work_tree, "check-attr", "filter").split("\0")
    wanted = {
        path for path, value in zip(answers[::3], answers[2::3], strict=False) if value == "lfs"
    }
    rules = LargeFileRules.parse(text.encode())
    assert {path for path in PATHS if rules.is_large(path)} == wanted


@pytest.mark.parametrize("text", IGNORES)
def test_ignored_are_those_that_git_would_leave_out(work_tree, text):
    (work_tree / ".gitignore").write_text(text)
    wanted = set(filter(None, git(work_tree, "check-ignore", "--no-index").split("\0")))
    rules = IgnoreRules.parse(text.encode())
    assert {path for path in PATHS if rules.ignores(path)} == wanted


@pytest.mark.parametrize("pattern", ["*a" * 200 + "b", "**/" * 15 + "*a*a*a*ab", "[" * 500])
def test_no_pattern_is_slow(pattern):
    rules = LargeFileRules.parse(f"{pattern} filter=lfs".encode())
    path = "/".join(["a" * 200] * 20)
    # Tried in every way, either would outlive this machine.
    assert not rules.is_large(path)
    assert not rules.is_large("a" * 1000)


def test_nonsense_is_no_rule():
    for content in (b"", b"\xff\xfe", b"filter=lfs", b"\0" * 100, b"!" * 100, b"/" * 100):
        assert not LargeFileRules.parse(content).is_large("a/b.bin")
        IgnoreRules.parse(content).ignores("a/b.bin")
