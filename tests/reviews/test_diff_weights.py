"""`manage.py diff_weights`: folders, files and repositories, in words and as JSON."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
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


def test_a_cast_that_hides_an_edit_and_a_lost_tie_are_told(tmp_path: Path):
    folder = tmp_path / "edited"
    shutil.copytree(TINY, folder)
    held = {name: tensor.astype(np.float16) for name, tensor in tensors().items()}
    held[EDITED][0, 0] += 1
    held["lm_head.weight"] = held["model.embed_tokens.weight"] * np.float16(2)
    save_file(held, folder / "model.safetensors")
    told = said(str(TINY), str(folder))
    assert f"The type of 2 tensors changed from F32 to F16: lm_head.weight, {EDITED}." in told
    assert "37 tensors were cast from F32 to F16, bit for bit." in told
    assert "model.embed_tokens.weight and lm_head.weight were one and are two now." in told
    assert "lm_head.weight differs from model.embed_tokens.weight, and config.json" in told


def sharded(folder: Path, weight_map: dict[str, str]) -> str:
    """A folder with the model in two shards, whose index says `weight_map` beside the truth."""
    folder.mkdir()
    shutil.copy(TINY / "config.json", folder)
    names = sorted(tensors())
    where = {}
    for number, part in enumerate((names[::2], names[1::2]), 1):
        shard = f"model-{number:05}-of-00002.safetensors"
        save_file({name: tensors()[name] for name in part}, folder / shard)
        where |= dict.fromkeys(part, shard)
    index = {"metadata": {}, "weight_map": where | weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return str(folder)


def test_what_is_wrong_with_files_is_told_in_words(tmp_path: Path):
    first, second = (f"model-{number:05}-of-00002.safetensors" for number in (1, 2))
    name = sorted(tensors())[0]
    for number, (weight_map, sentence) in enumerate(
        [
            ({name: second}, f"The index puts {name} into {second}; it lies in {first}."),
            ({"ghost": first}, f"The index puts ghost into {first}, which lacks it."),
            ({"ghost": "other.safetensors"}, "other.safetensors is missing."),
        ]
    ):
        assert f"- must not be merged: {sentence}" in said(
            str(TINY), sharded(tmp_path / str(number), weight_map)
        )
    (Path(sharded(tmp_path / "none", {})) / "model.safetensors.index.json").unlink()
    assert (
        "- must not be merged: model.safetensors.index.json is missing: without it no loader "
        "reads model-*-of-00002.safetensors."
    ) in said(str(TINY), str(tmp_path / "none"))
    broken = tmp_path / "gguf"
    broken.mkdir()
    (broken / "model.gguf").write_bytes(b"GGUF\3\0")
    assert "model.gguf cannot be read: the header is cut off or too long" in said(
        str(TINY), str(broken)
    )


def test_revisions_of_a_repository_are_compared(model):  # noqa: F811
    base = model.store().resolve("main")
    changed(model, rank_four)
    assert "rank 4" in said(f"{model.repo_id}@{base}", model.repo_id)
    with pytest.raises(CommandError, match="no model here"):
        said("nobody/nothing", model.repo_id)


def test_a_patch_is_made_and_read_as_the_weights_it_makes(tmp_path: Path):
    base, edited = tmp_path / "base", tmp_path / "edited"
    for folder in (base, edited):
        shutil.copytree(TINY, folder)
    held = tensors()
    held[EDITED][2, :9] += 1
    save_file(held, edited / "model.safetensors")
    told = io.StringIO()
    out = base / "weights_patch.safetensors"
    call_command("make_patch", str(TINY), str(edited), str(out), stdout=told)
    assert "9 elements in 1 tensors" in told.getvalue()
    compared = said(str(TINY), str(base))
    assert "1 of 38 tensors changed." in compared
    assert "A sparse patch replaces 9 of " in compared
    assert "Every tensor is the same" in said(str(edited), str(base))
    with pytest.raises(CommandError, match="nothing to patch"):
        call_command("make_patch", str(TINY), str(TINY), str(out))
    with pytest.raises(CommandError, match="no smaller"):
        all_of_it = {name: each + 1 for name, each in held.items()}
        save_file(all_of_it, edited / "model.safetensors")
        call_command("make_patch", str(TINY), str(edited), str(out))
