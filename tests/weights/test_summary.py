"""Planted edits in a real model: the facts name the right tensors and the kind, nothing else.

Of each edit four things are asserted, which are a reviewer's questions: which layers, how much,
what kind, is it safe.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from reviews.weights.checkpoint import open_checkpoint
from reviews.weights.diff import TensorChange, diff, structure, with_spectrum
from reviews.weights.dtypes import encode
from reviews.weights.pairing import pair_tensors
from reviews.weights.summary import Summary, summarise
from tests.weights.stored import bf16

MODEL = Path("tests/data/tiny-shakespeare-llama")
Weights = dict[str, Any]


def q(layer: int) -> str:
    return f"model.layers.{layer}.self_attn.q_proj.weight"


def down(layer: int) -> str:
    return f"model.layers.{layer}.mlp.down_proj.weight"


EMBEDDING = "model.embed_tokens.weight"
UNTOUCHED = "embeddings_untouched"


def low_rank(weights: Weights, name: str, rank: int, relative: float, seed: int = 0) -> None:
    random = np.random.default_rng(seed)
    old = weights[name]
    change = random.normal(size=(old.shape[0], rank)) @ random.normal(size=(rank, old.shape[1]))
    change *= relative * np.linalg.norm(old) / np.linalg.norm(change)
    weights[name] = (old + change).astype(np.float32)


def head_scaled(weights: Weights) -> None:
    weights[q(2)][64:96] *= 1.5


def head_of_output_scaled(weights: Weights) -> None:
    weights["model.layers.1.self_attn.o_proj.weight"][:, 32:64] *= 0.5


def head_cleared(weights: Weights) -> None:
    weights[q(3)][0:32] = 0


def row_zeroed(weights: Weights) -> None:
    weights[down(1)][17] = 0


def rank_four(weights: Weights) -> None:
    low_rank(weights, down(3), 4, 0.02)


def adapter(weights: Weights) -> None:
    for layer in (1, 2, 3):
        for module in "qv":
            name = f"model.layers.{layer}.self_attn.{module}_proj.weight"
            low_rank(weights, name, 8, 0.01, seed=layer)


def token_added(weights: Weights) -> None:
    rows = np.random.default_rng(0).normal(0, 0.02, (8, 192)).astype(np.float32)
    weights[EMBEDDING] = np.concatenate([weights[EMBEDDING], rows])


def tokens_cut_off(weights: Weights) -> None:
    weights[EMBEDDING] = weights[EMBEDDING][:-8].copy()


def narrowed(weights: Weights) -> None:
    """Eight neurons fewer in the MLP of each layer."""
    for layer in range(4):
        weights[down(layer)] = weights[down(layer)][:, :-8].copy()
        for module in ("gate", "up"):
            name = down(layer).replace("down", module)
            weights[name] = weights[name][:-8].copy()


def token_edited(weights: Weights) -> None:
    weights[EMBEDDING][77] += 0.05 * np.random.default_rng(0).normal(size=192).astype(np.float32)


def swapped(weights: Weights) -> None:
    weights[q(0)], weights[q(3)] = weights[q(3)], weights[q(0)]


def dense(weights: Weights) -> None:
    noise = np.random.default_rng(0).normal(0, 1, weights[down(2)].shape).astype(np.float32)
    weights[down(2)] += 0.01 * weights[down(2)].std() * noise


def norm_scaled(weights: Weights) -> None:
    weights["model.norm.weight"] *= 1.25


def with_nan(weights: Weights) -> None:
    weights[down(0)][3, 5] = np.nan


def one_layer_far_off(weights: Weights) -> None:
    for layer, relative in enumerate((0.01, 0.012, 0.2, 0.009)):
        low_rank(weights, down(layer), 2, relative, seed=layer)


def nothing(weights: Weights) -> None:
    """Equal content, written anew."""


def renamed(weights: Weights) -> None:
    weights["model.final.weight"] = weights.pop("model.norm.weight")


@dataclass(frozen=True)
class Edit:
    plant: Callable[[Weights], None]
    layers: list[list[int]]
    relative: float | None
    codes: set[str]
    alarms: set[str]
    fact: str
    parameters: dict[str, Any]


EDITS = [
    Edit(head_scaled, [[2, 2]], None, {"head_scaled", UNTOUCHED, "no_nan"}, set(),
         "head_scaled", {"tensor": q(2), "heads": [2], "factor": pytest.approx(1.5, abs=1e-3)}),
    Edit(head_of_output_scaled, [[1, 1]], None, {"head_scaled", UNTOUCHED, "no_nan"}, set(),
         "head_scaled", {"module": "o_proj", "heads": [1], "factor": pytest.approx(0.5, abs=1e-3)}),
    Edit(head_cleared, [[3, 3]], None, {"head_zeroed", UNTOUCHED, "no_nan"}, {"head_zeroed"},
         "head_zeroed", {"tensor": q(3), "heads": [0]}),
    Edit(row_zeroed, [[1, 1]], None, {"rows_zeroed", UNTOUCHED, "no_nan"}, {"rows_zeroed"},
         "rows_zeroed", {"tensor": down(1), "ranges": [[17, 18]], "count": 1}),
    Edit(rank_four, [[3, 3]], 0.02, {"low_rank_change", UNTOUCHED, "no_nan"}, set(),
         "low_rank_change", {"rank": 4, "rank_min": 4, "tensors": [down(3)], "layers": [[3, 3]],
                             "modules": ["down_proj"], "relative": pytest.approx(0.02, rel=0.01)}),
    Edit(adapter, [[1, 3]], 0.01, {"low_rank_change", UNTOUCHED, "no_nan"}, set(),
         "low_rank_change", {"rank": 8, "modules": ["q_proj", "v_proj"], "layers": [[1, 3]]}),
    Edit(token_added, [], None, {"tokens_added", UNTOUCHED, "no_nan"}, set(),
         "tokens_added", {"count": 8}),
    Edit(tokens_cut_off, [], None, {"tokens_removed", "no_nan"}, {"tokens_removed"},
         "tokens_removed", {"count": 8}),
    Edit(narrowed, [[0, 3]], None,
         {"modules_reshaped", "modules_rows_removed", UNTOUCHED, "no_nan"},
         {"modules_reshaped", "modules_rows_removed"},
         "modules_rows_removed",
         {"count": 8, "modules": ["gate_proj", "up_proj"], "layers": [[0, 3]]}),
    Edit(token_edited, [], None, {"rows_changed", "no_nan"}, set(),
         "rows_changed", {"tensor": EMBEDDING, "ranges": [[77, 78]], "count": 1}),
    Edit(swapped, [[0, 0], [3, 3]], None, {"swapped", UNTOUCHED}, {"swapped"},
         "swapped", {"tensor": q(0), "other": q(3)}),
    Edit(dense, [[2, 2]], 0.01, {"dense_change", UNTOUCHED, "no_nan"}, set(),
         "dense_change", {"tensors": [down(2)], "relative": pytest.approx(0.01, rel=0.02)}),
    Edit(norm_scaled, [], 0.25, {"tensor_scaled", UNTOUCHED, "no_nan"}, set(),
         "tensor_scaled", {"tensor": "model.norm.weight", "factor": pytest.approx(1.25, abs=1e-3)}),
    Edit(with_nan, [[0, 0]], None, {"nan", UNTOUCHED, "rows_changed"}, {"nan"},
         "nan", {"tensor": down(0), "count": 1}),
    Edit(one_layer_far_off, [[0, 3]], None,
         {"low_rank_change", UNTOUCHED, "no_nan", "outlier"}, {"outlier"},
         "outlier", {"tensor": down(2), "times": pytest.approx(18, rel=0.05)}),
    Edit(nothing, [], None, {"no_change"}, set(), "no_change", {"tensors": 38}),
    Edit(renamed, [], None, {"renamed", UNTOUCHED}, set(),
         "renamed", {"tensors": ["model.final.weight"], "count": 1}),
]  # fmt: skip


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.plant.__name__)
@pytest.mark.parametrize("dtype", ["F32", "BF16"])
def test_planted_edits(tmp_path, edit, dtype):
    weights = original(dtype)
    base = written(tmp_path / "base", weights, dtype)
    edit.plant(weights)
    summary = told(base, written(tmp_path / "candidate", weights, dtype))
    facts = {fact.code: fact.parameters for fact in summary.facts}
    assert summary.layers == edit.layers
    if edit.relative is not None:
        assert summary.relative == pytest.approx(edit.relative, rel=0.05)
    assert set(facts) == edit.codes and len(facts) == len(summary.facts)
    found = facts[edit.fact]
    assert {key: found[key] for key in edit.parameters} == edit.parameters
    assert {fact.code for fact in summary.alarms} == edit.alarms
    assert summary.is_safe is not bool(edit.alarms)


@pytest.mark.parametrize(("broken", "codes"), [("base", ["no_nan"]), ("new", [])])
def test_what_a_header_that_cannot_be_read_holds_came_and_went_nowhere(tmp_path, broken, codes):
    weights = original("F32")
    base, new = (written(tmp_path / name, weights, "F32") for name in ("base", "new"))
    (tmp_path / broken / "model.safetensors").write_bytes(b"\xff" * 64)
    with open_checkpoint(base) as old, open_checkpoint(new) as candidate:
        changes = list(diff(pair_tensors(old, candidate)))
    assert {change.kind for change in changes} == {"unread"} and len(changes) == 38
    summary = summarise(changes)
    assert [fact.code for fact in summary.facts] == codes and summary.touched == 0


@pytest.mark.parametrize("dtype", ["BF16", "F16"])
def test_a_cast_alone_is_a_cast(tmp_path, dtype):
    weights = original("F32")
    summary = told(
        written(tmp_path / "base", weights, "F32"), written(tmp_path / "new", weights, dtype)
    )
    facts = {fact.code: fact.parameters for fact in summary.facts}
    assert set(facts) == {"cast_only", "no_nan"}
    assert (facts["cast_only"]["before"], facts["cast_only"]["after"]) == ("F32", dtype)
    assert facts["cast_only"]["count"] == summary.tensors
    assert summary.changed_elements == 0 and summary.is_safe
    assert 0 < summary.relative < {"BF16": 2**-8, "F16": 2**-11}[dtype]


def test_shards_in_another_order_are_no_change(tmp_path):
    weights = original("F32")
    names = sorted(weights)
    base = sharded(tmp_path / "base", weights, [names[:20], names[20:]])
    summary = told(base, sharded(tmp_path / "new", weights, [names[25:], names[:25]]))
    assert {fact.code for fact in summary.facts} == {"no_change", "files_moved"}
    assert (summary.layers, summary.relative, summary.is_safe) == ([], None, True)


def test_another_dtype_with_other_values_is_no_cast(tmp_path):
    weights = original("F32")
    base = written(tmp_path / "base", weights, "F32")
    rank_four(weights)
    facts = {
        fact.code: fact.parameters
        for fact in told(base, written(tmp_path / "new", weights, "BF16")).facts
    }
    assert set(facts) == {"cast", "dtype_changed", "low_rank_change", "no_nan"}
    assert facts["dtype_changed"]["tensors"] == facts["low_rank_change"]["tensors"] == [down(3)]
    assert (facts["cast"]["count"], facts["low_rank_change"]["rank"]) == (37, 4)


def test_a_prefix_on_every_name_is_renaming_and_nothing_else(tmp_path):
    weights = original("F32")
    base = written(tmp_path / "base", weights, "F32")
    weights = {f"language.{name}": held for name, held in weights.items()}
    (fact,) = told(base, written(tmp_path / "new", weights, "F32")).facts
    assert (fact.code, fact.parameters["count"]) == ("renamed", 38)


def test_structure_comes_first(tmp_path):
    """Before any value is read, the page knows what is there."""
    weights = original("F32")
    base = written(tmp_path / "base", weights, "F32")
    token_added(weights)
    rank_four(weights)
    with (
        open_checkpoint(base) as old,
        open_checkpoint(written(tmp_path / "n", weights, "F32")) as new,
    ):
        changes = [structure(pair) for pair in pair_tensors(old, new)]
    facts = {fact.code for fact in summarise(changes).facts}
    assert facts == {"tokens_added"}


def test_everything_goes_through_json(tmp_path):
    weights = original("BF16")
    base = written(tmp_path / "base", weights, "BF16")
    adapter(weights)
    token_added(weights)
    changes = computed(base, written(tmp_path / "new", weights, "BF16"))
    kept = json.loads(json.dumps([change.to_dict() for change in changes], allow_nan=False))
    assert [TensorChange.from_dict(each) for each in kept] == changes
    summary = summarise(changes)
    assert Summary.from_dict(json.loads(json.dumps(summary.to_dict(), allow_nan=False))) == summary


def original(dtype: str) -> Weights:
    weights = {name: held.copy() for name, held in load_file(MODEL / "model.safetensors").items()}
    if dtype == "BF16":
        return {name: bf16(held) for name, held in weights.items()}
    return weights


def written(folder: Path, weights: Weights, dtype: str) -> dict[str, Path]:
    """A checkpoint of one file in `folder`, as what `open_checkpoint` takes."""
    folder.mkdir()
    _save(weights, folder / "model.safetensors", dtype)
    return _listed(folder)


def sharded(folder: Path, weights: Weights, parts: list[list[str]]) -> dict[str, Path]:
    folder.mkdir()
    places = {}
    for at, names in enumerate(parts, 1):
        file = f"model-{at:05}-of-{len(parts):05}.safetensors"
        _save({name: weights[name] for name in names}, folder / file, "F32")
        places |= dict.fromkeys(names, file)
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return _listed(folder)


def _save(weights: Weights, path: Path, dtype: str) -> None:
    if dtype != "BF16":
        kind = {"F32": np.float32, "F16": np.float16}[dtype]
        save_file(
            {name: np.ascontiguousarray(held.astype(kind)) for name, held in weights.items()}, path
        )
        return
    header, blobs, end = {}, [], 0
    for name, held in weights.items():
        blobs.append(encode(held, "BF16").tobytes())
        span = [end, end + len(blobs[-1])]
        header[name] = {"dtype": "BF16", "shape": held.shape, "data_offsets": span}
        end = span[1]
    said = json.dumps(header).encode()
    path.write_bytes(len(said).to_bytes(8, "little") + said + b"".join(blobs))


def _listed(folder: Path) -> dict[str, Path]:
    config = json.loads((MODEL / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config))
    return {path.name: path for path in folder.iterdir()}


def computed(base: dict[str, Path], candidate: dict[str, Path]) -> list[TensorChange]:
    with open_checkpoint(base) as old, open_checkpoint(candidate) as new:
        assert not old.problems + new.problems
        pairs = pair_tensors(old, new)
        changes = zip(diff(pairs), pairs, strict=True)
        return [with_spectrum(change, pair) for change, pair in changes]


def told(base: dict[str, Path], candidate: dict[str, Path]) -> Summary:
    config = json.loads((MODEL / "config.json").read_text())
    return summarise(computed(base, candidate), config)
