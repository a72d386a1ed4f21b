"""Taking files that a hostile program left."""

import os
from pathlib import Path

import pytest

from training.sandbox import OutputRefusedError, collect, open_output


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("do not tell")
    folder = tmp_path / "out"
    (folder / "result").mkdir(parents=True)
    return folder


def test_plain_files_within_their_limit_are_given(out):
    (out / "result" / "a.json").write_text("{}")
    found = collect(out, {"result/a.json": 2, "result/absent.json": 10, "nowhere/b": 1})
    assert found == {"result/a.json": out / "result" / "a.json"}


def test_a_file_over_its_limit_is_refused(out):
    with (out / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OutputRefusedError, match="over the limit of 100"):
        collect(out, {"sparse": 100})


@pytest.mark.parametrize("name", ["link", "folder-link/secret", "hard", "pipe", "result"])
def test_anything_but_a_plain_file_is_refused(out, name):
    (out / "link").symlink_to(out.parent / "secret")
    (out / "folder-link").symlink_to(out.parent)
    os.link(out.parent / "secret", out / "hard")
    os.mkfifo(out / "pipe")
    with pytest.raises(OutputRefusedError):
        collect(out, {name: 1000})


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "result/../../secret", ""])
def test_names_lead_nowhere_else(out, name):
    with pytest.raises(OutputRefusedError):
        collect(out, {name: 1000})


def test_an_opened_output_is_the_checked_one(out):
    (out / "a").write_text("ours")
    with os.fdopen(open_output(out, "a", 10)) as file:
        (out / "a").unlink()
        (out / "a").symlink_to(out.parent / "secret")
        assert file.read() == "ours"


def test_a_missing_output_is_named(out):
    with pytest.raises(OutputRefusedError, match="left no adapter"):
        open_output(out, "adapter", 10)
