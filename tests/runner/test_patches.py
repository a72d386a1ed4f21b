"""A model with a sparse patch in its root is the model that the patch makes of it."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from reviews.weights.patch_writing import make_patch
from reviews.weights.patches import PATCH
from tests.runner.conftest import ROOT, TINY, Heard
from tests.runner.test_evaluate import job  # noqa: F401
from tests.weights.folders import opened, write_shards
from training.runner import evaluate, patches
from training.runner.errors import BadModelError
from training.runner.job import Side
from training.runner.models import load_side
from training.runner.patches import show_whole

NAME = "model.layers.1.self_attn.q_proj.weight"
ROWS = "model.embed_tokens.weight"


def edited() -> dict[str, np.ndarray]:
    """The tiny model with what a numeric copy would lose: NaN would, so it is left out here."""
    held = load_file(TINY / "model.safetensors")
    held[NAME][3, 5:60] += 1
    held[ROWS][40:50] *= 2
    held[NAME][0, 0] = -0.0
    return held


@pytest.fixture
def models(tmp_path):
    """Two folders that stand for one model: whole weights, and base and patch."""
    whole, patched = tmp_path / "whole", tmp_path / "patched"
    for folder in (whole, patched):
        shutil.copytree(TINY, folder)
    save_file(edited(), whole / "model.safetensors", metadata={"format": "pt"})
    with opened(TINY) as base, opened(whole) as candidate:
        make_patch(base, candidate, patched / PATCH)
    return whole, patched


def loaded(folder, scratch):
    model, _tokenizer = load_side(folder, None, dtype=torch.float32, scratch=scratch)
    return model


def test_every_tensor_is_that_of_the_whole_weights(models, tmp_path):
    whole, patched = (loaded(folder, tmp_path / f"scratch-{n}") for n, folder in enumerate(models))
    expected, found = whole.state_dict(), patched.state_dict()
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor.view(torch.int32), found[name].view(torch.int32)), name
    assert whole.generation_config.to_dict() == patched.generation_config.to_dict()


def test_shards_are_patched_alike_and_stay_as_they_were(models, tmp_path):
    whole, patched = models
    (patched / "model.safetensors").unlink()
    write_shards(patched, load_file(TINY / "model.safetensors"), count=3)
    index = (patched / "model.safetensors.index.json").read_bytes()
    found = loaded(patched, tmp_path / "one").state_dict()
    expected = loaded(whole, tmp_path / "two").state_dict()
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
    assert (patched / "model.safetensors.index.json").read_bytes() == index


def test_an_evaluation_of_a_patch_is_that_of_the_whole_weights(models, job, stop):  # noqa: F811
    asked = job(*(Side(name="base", model=str(folder)) for folder in models[:1]))
    told = []
    for folder in models:
        heard = Heard()
        evaluate.run(replace(asked, sides=[Side(name="base", model=str(folder))]), heard, stop)
        told.append(heard.of("item"))
    assert told[0] == told[1] and len(told[0]) == 107
    heard = Heard()
    evaluate.run(replace(asked, sides=[Side(name="base", model=str(TINY))]), heard, stop)
    assert heard.of("item") != told[0], "the edit shows"


def test_the_way_that_the_docs_show_makes_the_same_patch(models, tmp_path):
    whole, patched = models
    text = (ROOT / "docs" / "weights.md").read_text()
    (script,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "base.safetensors").symlink_to(TINY / "model.safetensors")
    (tmp_path / "new.safetensors").symlink_to(whole / "model.safetensors")
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    ours, theirs = load_file(patched / PATCH), load_file(tmp_path / PATCH)
    assert ours.keys() == theirs.keys()
    assert all((held == theirs[name]).all() for name, held in ours.items())
    shutil.copy(tmp_path / PATCH, patched / PATCH)
    assert show_whole(patched, tmp_path / "view")


def rewritten(folder, edit):
    from safetensors import safe_open

    held = load_file(folder / PATCH)
    with safe_open(folder / PATCH, framework="numpy") as file:
        about = file.metadata()
    edit(held, about)
    save_file(held, folder / PATCH, metadata=about)


def indices(*values):
    def edit(held, about):
        held[f"{NAME}.indices"] = np.array(values, np.int64)
        held[f"{NAME}.values"] = np.ones(len(values), np.float32)

    return edit


@pytest.mark.parametrize(
    ("words", "edit"),
    [
        ("order or range", indices(4, 3)),
        ("order or range", indices(4, 4)),
        ("order or range", indices(-1)),
        ("order or range", indices(2**40)),
        ("halves", lambda held, about: held.pop(f"{NAME}.indices")),
        ("another", lambda held, about: about.update({f"{NAME}.base": "v1:00"})),
        ("unknown version", lambda held, about: about.update(weights_patch="2")),
        (
            "does not fit",
            lambda held, about: held.update({f"{NAME}.values": np.ones(1, np.float32)}),
        ),
        (
            "not for this model",
            lambda held, about: held.update(
                {"no.indices": np.zeros(1, np.int32), "no.values": np.zeros(1, np.float32)}
            ),
        ),
    ],
)
def test_a_patch_that_does_not_fit_is_refused(models, tmp_path, words, edit):
    _whole, patched = models
    rewritten(patched, edit)
    with pytest.raises(BadModelError, match=words):
        show_whole(patched, tmp_path / "view")


def test_any_bytes_are_a_refusal_or_a_model(models, tmp_path):
    _whole, patched = models
    content = (patched / PATCH).read_bytes()
    chance = np.random.default_rng(3)
    for turn in range(40):
        changed = bytearray(content)
        for _ in range(3):
            changed[chance.integers(0, min(len(changed), 800))] = chance.integers(0, 256)
        (patched / PATCH).write_bytes(changed)
        try:
            view = show_whole(patched, tmp_path / f"view-{turn}")
        except BadModelError:
            continue
        assert json.loads((view / patches.INDEX).read_text())["weight_map"]
        shutil.rmtree(view)
