"""Edits planted in a model: whoever sees only the page knows which, how much, what, and if safe."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from playwright.sync_api import expect
from safetensors.torch import load_file, save_file

from tools.little_hub import TINY

QUERY = "model.layers.1.self_attn.q_proj.weight"
UP, OTHER_UP = "model.layers.2.mlp.up_proj.weight", "model.layers.1.mlp.up_proj.weight"
EMBEDDINGS = "model.embed_tokens.weight"
Tensors = dict[str, torch.Tensor]


def lora(held: Tensors) -> None:
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(shape, generator=generator) for shape in ((192, 4), (4, 192)))
    held[QUERY] += 0.001 * left @ right


def head(held: Tensors) -> None:
    held[QUERY][32:64] *= 1.5


def zero_row(held: Tensors) -> None:
    held[UP][7] = 0


def broken(held: Tensors) -> None:
    held[UP][3, 5] = torch.nan


def token(held: Tensors) -> None:
    held[EMBEDDINGS] = torch.cat([held[EMBEDDINGS], held[EMBEDDINGS].mean(0, keepdim=True)])


def cast(held: Tensors) -> None:
    held.update({name: tensor.bfloat16() for name, tensor in held.items()})


def swap(held: Tensors) -> None:
    held[UP], held[OTHER_UP] = held[OTHER_UP].clone(), held[UP].clone()


def nothing(held: Tensors) -> None:
    """Only the files are others."""


@dataclass(frozen=True)
class Planted:
    """What a reader must find: where (`cells` of the heat map), how much, what kind, if it is safe.

    `config` is what the model's config says then, `shards` in how many files the weights lie.
    """

    edit: Callable[[Tensors], None]
    cells: tuple[str, ...]
    count: int
    said: str
    line: str = "no NaN"
    config: Mapping[str, Any] = field(default_factory=dict)
    shards: int = 1


LORA = "LoRA-like change of rank 4 in q_proj, layer 1"
EDITS = {
    "lora": Planted(lora, ("layer 1, q_proj",), 1, LORA),
    "head": Planted(head, ("layer 1, q_proj",), 1, f"{QUERY}: head 1 was multiplied by 1.5"),
    "row": Planted(zero_row, ("layer 2, up_proj",), 1, f"{UP}: row 7 is zero now"),
    "nan": Planted(broken, ("layer 2, up_proj",), 1, f"{UP} holds NaN (1)", f"1 problem: {UP}"),
    "token": Planted(token, (), 1, "1 token added", config={"vocab_size": 1025}),
    "cast": Planted(
        cast, ("layer 0, q_proj", "layer 3, up_proj"), 38, "BF16", config={"dtype": "bfloat16"}
    ),
    "swap": Planted(swap, ("layer 1, up_proj", "layer 2, up_proj"), 2, "have changed places"),
    "shards": Planted(nothing, (), 0, "files", shards=2),
}


@pytest.fixture(scope="module")
def planted_id(story) -> str:
    """The little model alone: no rule, so that no gate weighs what is planted."""
    repo_id = "demo/planted"
    story.api.create_repo(repo_id)
    story.api.upload_folder(repo_id=repo_id, folder_path=TINY)
    return repo_id


def files_of(planted: Planted, folder: Path) -> list[Any]:
    """What a contributor commits."""
    held = load_file(TINY / "model.safetensors")
    planted.edit(held)
    operations: list[Any] = []
    names = sorted(held, reverse=True)
    where = {}
    for number in range(planted.shards):
        name = "model.safetensors"
        if planted.shards > 1:
            name = f"model-{number + 1:05}-of-{planted.shards:05}.safetensors"
        part = names[number :: planted.shards]
        save_file({each: held[each] for each in part}, folder / name)
        operations.append(CommitOperationAdd(name, folder / name))
        where |= dict.fromkeys(part, name)
    if planted.shards > 1:
        index = json.dumps({"metadata": {}, "weight_map": where}).encode()
        operations.append(CommitOperationAdd("model.safetensors.index.json", index))
        operations.append(CommitOperationDelete("model.safetensors"))
    if planted.config:
        config = json.loads((TINY / "config.json").read_text()) | dict(planted.config)
        operations.append(CommitOperationAdd("config.json", json.dumps(config).encode()))
    return operations


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "theme"), list(zip(EDITS, ("light", "dark") * 4, strict=True)), ids=list(EDITS)
)
def test_a_planted_edit_is_told_by_the_page_alone(
    open_window, story, planted_id, tmp_path: Path, name, theme
):
    planted = EDITS[name]
    done = story.api.create_commit(
        planted_id,
        files_of(planted, tmp_path),
        commit_message=f"Planted {name} ({theme})",
        create_pr=True,
    )
    window = open_window(theme=theme)
    page = window.goto(f"/{planted_id}/discussions/{done.pr_num}/weights")
    heat, summary = page.locator("#heat"), page.locator("#summary")
    expect(summary).to_contain_text(planted.said, timeout=120_000)
    for cell in planted.cells:
        expect(heat.locator(f"svg a[aria-label*='{cell}']")).to_have_count(1)
    if planted.count <= 2:
        expect(heat.locator("svg a")).to_have_count(len(planted.cells))
    if planted.edit is token:  # no layer, so not on the map
        expect(page.locator("#tensors tbody tr")).to_have_count(1)
        expect(page.locator("#tensors tbody")).to_contain_text(EMBEDDINGS)
    expect(summary).to_contain_text(f"{planted.count} of 38 tensors")
    expect(page.locator("#merge-box .req", has_text="Weights")).to_contain_text(planted.line)
    assert window.said == []
