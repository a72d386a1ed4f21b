"""No file crashes the readers, fills the memory or takes long, whatever its bytes are."""

import json
import time
import tracemalloc

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from reviews.weights.adapters import with_adapter
from reviews.weights.checkpoint import open_checkpoint
from reviews.weights.checks import check_checkpoint
from reviews.weights.errors import WeightsError
from reviews.weights.pairing import pair_tensors
from tests.weights.folders import TINY, opened, some_tensors, write_model, write_shards

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
CONFIG_KEYS = [
    "model_type", "hidden_size", "num_hidden_layers", "vocab_size", "architectures", "dtype",
    "tie_word_embeddings", "id2label", "torch_dtype", "quantization_config", "head_dim",
]  # fmt: skip
ADAPTER_KEYS = [
    "r", "lora_alpha", "alpha_pattern", "rank_pattern", "peft_type", "use_rslora",
    "init_lora_weights", "base_model_name_or_path",
]  # fmt: skip


def looked_at(files):
    """Everything that is done with a checkpoint; refusals are the only errors."""
    with open_checkpoint(files) as model:
        check_checkpoint(model, values=True)
        try:
            pair_tensors(model, model)
            if model.adapter is not None:
                with_adapter(model, model)
        except WeightsError:
            pass
        _ = model.tokens


def test_flipped_and_missing_bytes_of_safetensors_are_only_problems(tmp_path):
    write_model(tmp_path, some_tensors())
    path = tmp_path / "model.safetensors"
    whole = path.read_bytes()
    chance = np.random.default_rng(11)
    for turn in range(500):
        content = bytearray(whole[: chance.integers(0, len(whole))] if turn % 3 == 0 else whole)
        for _ in range(1 + turn % 4):
            if content:
                content[chance.integers(0, min(len(content), 600))] = chance.integers(0, 256)
        path.write_bytes(content)
        looked_at({"model.safetensors": path})


@settings(max_examples=150, deadline=None)
@given(values=st.dictionaries(st.sampled_from(CONFIG_KEYS), JSON), family=st.sampled_from(
    ["llama", "gpt2", "bert", "qwen3", "x"]
))  # fmt: skip
def test_any_configuration_is_only_a_problem(tmp_path_factory, values, family):
    folder = write_model(tmp_path_factory.mktemp("any"), some_tensors())
    (folder / "config.json").write_text(json.dumps({"model_type": family} | values))
    looked_at({path.name: path for path in folder.iterdir()})


@settings(max_examples=150, deadline=None)
@given(values=st.dictionaries(st.sampled_from(ADAPTER_KEYS), JSON))
def test_any_settings_of_an_adapter_are_only_a_problem(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("any")
    place = "base_model.model.model.layers.0.mlp.up_proj"
    factors = {
        f"{place}.lora_A.weight": np.ones((2, 8), np.float32),
        f"{place}.lora_B.weight": np.ones((16, 2), np.float32),
    }
    write_model(folder, some_tensors())
    write_model(folder, factors, name="adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"} | values))
    looked_at({path.name: path for path in folder.iterdir()})


@settings(max_examples=150, deadline=None)
@given(where=st.dictionaries(st.sampled_from([*some_tensors(), "x"]), st.text(max_size=9) | JSON))
def test_any_index_is_only_a_problem(tmp_path_factory, where):
    folder = write_shards(tmp_path_factory.mktemp("any"), some_tensors(), count=2, weight_map=where)
    looked_at({path.name: path for path in folder.iterdir()})


@settings(max_examples=150, deadline=None)
@given(tokenizer=JSON | st.fixed_dictionaries({"model": JSON, "added_tokens": JSON}))
def test_any_tokenizer_gives_tokens_or_none(tmp_path_factory, tokenizer):
    folder = write_model(tmp_path_factory.mktemp("any"), some_tensors())
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    with opened(folder) as model:
        assert model.tokens is None or all(isinstance(each, str) for each in model.tokens)


def test_a_header_of_fifty_thousand_tensors_takes_seconds(tmp_path):
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    body = json.dumps({f"a.{at}": entry for at in range(50_000)}).encode()
    twice = body[:-1] + b', "a.49999": ' + json.dumps(entry).encode() + b"}"
    for content, code in ((body, None), (twice, "duplicate")):
        path = tmp_path / "model.safetensors"
        path.write_bytes(len(content).to_bytes(8, "little") + content)
        start = time.process_time()
        with open_checkpoint({"model.safetensors": path}) as model:
            assert [each.code for each in model.problems] == ([code] if code else [])
        assert time.process_time() - start < 10


def test_reading_a_model_takes_no_memory_of_its_size():
    with opened(TINY) as model:
        check_checkpoint(model, values=False)
        tracemalloc.start()
        try:
            check_checkpoint(model, values=True)
            pair_tensors(model, model)
            assert tracemalloc.get_traced_memory()[1] < 6_000_000  # of 7.9 MB, in pieces
        finally:
            tracemalloc.stop()
