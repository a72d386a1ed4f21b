"""Two proposals that move the same weights, queued with one click each; the workers do the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import CommitOperationAdd
from playwright.sync_api import expect
from safetensors.numpy import load_file, save_file

from tools.little_hub import TINY

UP = "model.layers.2.mlp.up_proj.weight"


@pytest.fixture(scope="module")
def queued_id(story) -> str:
    """The little model alone, without a rule."""
    repo_id = "demo/queued"
    story.api.create_repo(repo_id)
    story.api.upload_folder(repo_id=repo_id, folder_path=TINY)
    return repo_id


def propose(story, repo_id: str, seed: int, folder: Path) -> int:
    """A pull request that moves one matrix a little; its number."""
    held = {key: value.copy() for key, value in load_file(TINY / "model.safetensors").items()}
    step = np.random.default_rng(seed).normal(size=held[UP].shape) + 1.0
    held[UP] = (held[UP] + 0.01 * step).astype(np.float32)
    save_file(held, folder / f"{seed}.safetensors")
    change = CommitOperationAdd("model.safetensors", folder / f"{seed}.safetensors")
    done = story.api.create_commit(
        repo_id, [change], commit_message=f"Move it by seed {seed}", create_pr=True
    )
    assert done.pr_num
    return int(done.pr_num)


@pytest.mark.timeout(300)
def test_the_queue_merges_both_and_the_weights_by_the_chosen_way(
    open_window, story, queued_id, tmp_path: Path
):
    first, second = (propose(story, queued_id, seed, tmp_path) for seed in (1, 2))
    window = open_window()
    window.sign_in(story.owner)
    page = window.goto(f"/{queued_id}/discussions/{first}")
    box = page.locator("#merge-box")
    if not box.get_by_role("button", name="Merge", exact=True).is_enabled():
        box.get_by_role("button", name="Merge when ready").click()
    else:  # its weights were read before anybody looked
        box.get_by_role("button", name="Merge", exact=True).click()
    expect(box).to_contain_text("merged this into", timeout=120_000)

    page = window.goto(f"/{queued_id}/discussions/{second}")
    box = page.locator("#merge-box")
    expect(box).to_contain_text("main has moved the same weights")
    box.get_by_label("Way of merging").select_option("linear")
    box.get_by_label("Share of this proposal").fill("0.25")
    box.get_by_role("button", name="Merge when ready").click()
    box = page.locator("#merge-box")
    expect(box).to_contain_text("merged this into", timeout=120_000)
    assert story.owner.name in box.inner_text()
    recipe = story.api.hf_hub_download(
        queued_id, ".weighbridge/merge.yaml", local_dir=tmp_path / "merged"
    )
    text = Path(recipe).read_text()
    assert "merge_method: linear" in text and "weight: 0.25" in text
    page = window.goto(f"/{queued_id}/queue")
    expect(page.locator("#ended")).to_contain_text(f"#{second}")
    assert window.said == []
