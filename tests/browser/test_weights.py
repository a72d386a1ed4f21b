"""Edits planted in a model: whoever sees only the page knows which, how much, what, and if safe."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import CommitOperationAdd
from playwright.sync_api import expect
from safetensors.numpy import load_file, save_file

from tools.little_hub import TINY

Tensors = dict[str, np.ndarray]
QUERY = "model.layers.1.self_attn.q_proj.weight"
UP = "model.layers.2.mlp.up_proj.weight"


def lora(held: Tensors) -> None:
    generator = np.random.default_rng(0)
    left, right = generator.normal(size=(192, 4)), generator.normal(size=(4, 192))
    held[QUERY] = (held[QUERY] + 0.001 * left @ right).astype(np.float32)


def head(held: Tensors) -> None:
    held[QUERY][32:64] *= np.float32(1.5)


def zero_row(held: Tensors) -> None:
    held[UP][7] = 0


def broken(held: Tensors) -> None:
    held[UP][3, 5] = np.nan


@dataclass(frozen=True)
class Planted:
    """`cell` is what the heat map says of the one place, `said` the sentence of the summary."""

    edit: Callable[[Tensors], None]
    cell: str
    said: str
    line: str


LORA = "LoRA-like change of rank 4 in q_proj, layer 1"
EDITS = {
    "lora": Planted(lora, "layer 1, q_proj", LORA, "no NaN"),
    "head": Planted(head, "layer 1, q_proj", f"{QUERY}: head 1 was multiplied by 1.5", "no NaN"),
    "row": Planted(zero_row, "layer 2, up_proj", f"{UP}: row 7 is zero now", "no NaN"),
    "nan": Planted(broken, "layer 2, up_proj", f"{UP} holds NaN (1)", f"1 problem: {UP}"),
}


@pytest.fixture(scope="module")
def planted_id(story) -> str:
    """The little model alone: no rule, so that no gate weighs what is planted."""
    repo_id = "demo/planted"
    story.api.create_repo(repo_id)
    story.api.upload_folder(repo_id=repo_id, folder_path=TINY)
    return repo_id


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "theme"), [("lora", "light"), ("head", "dark"), ("row", "light"), ("nan", "dark")]
)
def test_a_planted_edit_is_told_by_the_page_alone(
    open_window, story, planted_id, tmp_path: Path, name, theme
):
    planted = EDITS[name]
    held = {key: value.copy() for key, value in load_file(TINY / "model.safetensors").items()}
    planted.edit(held)
    save_file(held, tmp_path / "model.safetensors")
    done = story.api.create_commit(
        planted_id,
        [CommitOperationAdd("model.safetensors", tmp_path / "model.safetensors")],
        commit_message=f"Planted {name} ({theme})",
        create_pr=True,
    )
    window = open_window(theme=theme)
    page = window.goto(f"/{planted_id}/discussions/{done.pr_num}/weights")
    heat, summary = page.locator("#heat"), page.locator("#summary")
    expect(summary).to_contain_text(planted.said, timeout=120_000)
    touched = heat.locator("td a")
    expect(touched).to_have_count(1)
    expect(touched).to_have_attribute("title", re.compile(re.escape(planted.cell)))
    expect(summary).to_contain_text("1 of 38 tensors")
    expect(page.locator("#tensors tbody td").nth(1)).to_contain_text("%")
    expect(page.locator("#merge-box .req", has_text="Weights")).to_contain_text(planted.line)
    assert window.said == []
