"""A whole diff: adapters, grown embeddings, and a real model."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from demo.files import cache_folder
from reviews.weights.adapters import with_adapter
from reviews.weights.checkpoint import open_checkpoint
from reviews.weights.diff import comparable, diff, with_spectrum
from reviews.weights.pairing import TensorPair, pair_tensors
from reviews.weights.summary import summarise
from tests.weights.stored import stored
from tests.weights.test_summary import MODEL
from training.runner.smollm2 import make_model


def base_files():
    return {path.name: path for path in MODEL.iterdir()}


def adapter_files(folder, rank):
    """A LoRA adapter on the query projections of all four layers."""
    random = np.random.default_rng(0)
    tensors = {}
    for layer in range(4):
        at = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
        tensors[f"{at}.lora_A.weight"] = random.normal(size=(rank, 192)).astype(np.float32)
        tensors[f"{at}.lora_B.weight"] = random.normal(0, 1e-3, (192, rank)).astype(np.float32)
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": 16, "target_modules": ["q_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return {path.name: path for path in folder.iterdir()}


def test_an_adapter_is_shown_as_what_it_does_to_its_base(tmp_path):
    files = adapter_files(tmp_path / "adapter", rank=6)
    with open_checkpoint(base_files()) as base, open_checkpoint(files) as adapter:
        effective = with_adapter(base, adapter)
        pairs = pair_tensors(base, effective)
        changes = [
            with_spectrum(change, pair) for change, pair in zip(diff(pairs), pairs, strict=True)
        ]
        exact = [change.spectrum for change in changes if change.spectrum]
        name = "model.layers.2.self_attn.q_proj.weight"
        delta = effective.tensors[name].rows(0, 192) - base.tensors[name].rows(0, 192)
    assert len(exact) == 4 and all(found.exact_factors and found.rank == 6 for found in exact)
    expected = np.linalg.svd(delta.astype(np.float64), compute_uv=False)[:6]
    (found,) = [change for change in changes if change.name == name]
    assert found.spectrum.sigma == pytest.approx(expected, rel=1e-5)
    (fact,) = [fact for fact in summarise(changes).facts if fact.code == "low_rank_change"]
    assert fact.parameters["rank"] == 6
    assert (fact.parameters["modules"], fact.parameters["layers"]) == (["q_proj"], [[0, 3]])


def test_rows_that_both_have_are_compared():
    base, grown = stored(np.ones((4, 3))), stored(np.vstack([np.ones((4, 3)), np.zeros((2, 3))]))
    pair = TensorPair("w", "reshaped", base, grown, rows_added=2)
    assert [side.shape for side in comparable(pair)] == [(4, 3), (4, 3)]
    (change,) = diff([pair])
    assert (change.stats.changed, change.stats.shape, change.rows_added) == (0, (4, 3), 2)
    (back,) = diff([TensorPair("w", "reshaped", grown, base, rows_added=-2)])
    assert back.stats.changed == 0
    (other,) = diff([TensorPair("w", "reshaped", base, stored(np.ones((3, 4))))])
    assert other.stats is None


def test_equal_tensors_are_not_read():
    gone = stored(np.ones((4, 3)))
    broken = TensorPair("w", "same", gone, stored(np.ones((9, 9))))
    (change,) = diff([broken])
    assert change.stats is None and not change.is_touched


@pytest.mark.real_model
def test_a_real_model_with_one_head_scaled_in_bf16(tmp_path):
    """SmolLM2-135M: the page names the head; all other 271 tensors are equal."""
    cache = cache_folder()
    folder = make_model(cache / "smollm2-135m-instruct", cache=cache / "wheels")
    files = {path.name: path for path in folder.iterdir()}
    name = "model.layers.11.self_attn.q_proj.weight"
    data = bytearray((folder / "model.safetensors").read_bytes())
    length = int.from_bytes(data[:8], "little")
    start, stop = json.loads(data[8 : 8 + length])[name]["data_offsets"]
    codes = np.frombuffer(data, np.uint16, (stop - start) // 2, 8 + length + start)
    head = codes.reshape(576, 576)[128:192]
    head += np.where(head & 0x7F80, 0x80, 0).astype(np.uint16)  # twice the value
    changed = tmp_path / "model.safetensors"
    changed.write_bytes(data)
    with open_checkpoint(files) as base, open_checkpoint(files | {changed.name: changed}) as new:
        pairs = pair_tensors(base, new)
        changes = list(diff(pairs))
        facts = {fact.code: fact.parameters for fact in summarise(changes, base.config).facts}
    assert set(facts) == {"head_scaled", "embeddings_untouched", "no_nan"}
    assert (facts["head_scaled"]["tensor"], facts["head_scaled"]["heads"]) == (name, [2])
    assert facts["head_scaled"]["factor"] == pytest.approx(2, abs=1e-3)


def test_a_change_in_which_no_direction_stands_out_is_not_called_one_of_full_rank():
    """A large weight is rounded coarsely and hides what was changed beside it."""
    random = np.random.default_rng(0)
    name, shape = "model.layers.0.mlp.up_proj.weight", (256, 256)
    before = random.normal(0, 0.02, shape)
    before[0, 0] = 100
    low = random.normal(size=(256, 16)) @ random.normal(size=(16, 256))
    low *= 0.25 / np.linalg.norm(low)
    base = stored(before, "BF16", name)
    candidate = stored(base.rows(0, 256) + low, "BF16", name)
    pair = TensorPair(name, "changed", base, candidate)
    change = with_spectrum(next(diff([pair])), pair)
    assert (change.spectrum.rank, change.spectrum.undecidable) == (None, "nothing_above")
    assert summarise([change]).facts[0].code == "change_below_rounding"
