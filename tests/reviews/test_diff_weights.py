"""`manage.py diff_weights`: folders, files and repositories, in words and as JSON."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from safetensors.numpy import save_file

from tests.reviews.test_weights_comparing import EDITED, changed, model, rank_four, tensors  # noqa: F401
from tests.training.factories import TINY

pytestmark = pytest.mark.usefixtures("transactional_db")


def said(*arguments: str) -> str:
    out = io.StringIO()
    call_command("diff_weights", *arguments, stdout=out)
    return out.getvalue()


def test_folders_are_compared_without_a_hub(tmp_path: Path):
    folder = tmp_path / "edited"
    shutil.copytree(TINY, folder)
    held = tensors()
    rank_four(held)
    save_file(held, folder / "model.safetensors")
    told = said(str(TINY), str(folder))
    assert "1 of 38 tensors changed." in told
    assert "LoRA-like change of rank 4 in q_proj, layer 1" in told
    assert "must not be merged" not in told
    document = json.loads(said(str(TINY), str(folder), "--json"))
    assert [each["name"] for each in document["tensors"]] == [EDITED]


def test_revisions_of_a_repository_are_compared(model):  # noqa: F811
    base = model.store().resolve("main")
    changed(model, rank_four)
    assert "rank 4" in said(f"{model.repo_id}@{base}", model.repo_id)
    with pytest.raises(CommandError, match="no model here"):
        said("nobody/nothing", model.repo_id)
