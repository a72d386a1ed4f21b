"""GGUF to safetensors, on a GGUF written here from the tiny model."""

import hashlib
import json

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.runner.conftest import TINY
from training.runner.convert import convert
from training.runner.errors import BadModelError

NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}  # fmt: skip


def paired(weight, heads):
    """Rows in the order llama.cpp keeps them for its way of rotating."""
    size = weight.shape[0] // heads // 2
    return weight.reshape(heads, 2, size, -1).swapaxes(1, 2).reshape(weight.shape)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A Q8_0 GGUF file of the tiny model, and the model."""
    model = AutoModelForCausalLM.from_pretrained(TINY, dtype=torch.float32)
    config, path = model.config, tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config.vocab_size)
    vocabulary = json.loads((TINY / "tokenizer.json").read_text())["model"]
    tokens = sorted(vocabulary["vocab"], key=vocabulary["vocab"].get)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token.startswith("<|") else 1 for token in tokens])
    writer.add_token_merges([" ".join(merge) for merge in vocabulary["merges"]])
    for add in (writer.add_bos_token_id, writer.add_eos_token_id, writer.add_pad_token_id):
        add(0)
    for name, tensor in model.state_dict().items():
        if name != "lm_head.weight":
            add_tensor(writer, name, tensor.numpy(), config.num_attention_heads)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path, model


def add_tensor(writer, name, values, heads):
    part, _, kind = name.removeprefix("model.").rpartition(".")
    if part.startswith("layers."):
        _, number, inner = part.split(".", 2)
        if inner in ("self_attn.q_proj", "self_attn.k_proj"):
            values = paired(values, heads)
        target = f"blk.{number}.{NAMES[inner]}.{kind}"
    else:
        target = {"embed_tokens": "token_embd", "norm": "output_norm"}[part] + f".{kind}"
    if values.ndim == 1:
        writer.add_tensor(target, values.astype(np.float32))
    else:
        packed = gguf.quantize(values, gguf.GGMLQuantizationType.Q8_0)
        writer.add_tensor(target, packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)


def digests(folder):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_a_converted_model_is_clean_and_speaks_like_the_original(written, tmp_path):
    path, model = written
    convert(path, tmp_path / "a")
    config = json.loads((tmp_path / "a/config.json").read_text())
    assert config["dtype"] == "bfloat16" and "quantization_config" not in config
    assert config["rms_norm_eps"] == 1e-6
    settings = (tmp_path / "a/tokenizer_config.json").read_text()
    assert "local" not in settings and str(tmp_path) not in settings
    assert all(p.stat().st_mode & 0o777 == 0o644 for p in (tmp_path / "a").iterdir())
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "a", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "a")
    text = "What say you, my lord? 1597 times no."
    ids = AutoTokenizer.from_pretrained(TINY)(text, return_tensors="pt")["input_ids"]
    assert torch.equal(tokenizer(text, return_tensors="pt")["input_ids"], ids)
    with torch.inference_mode():
        difference = (again(ids).logits - model.eval()(ids).logits).abs().max()
    assert difference < 0.2  # eight bits, then bfloat16; a wrong order of rows gives 10


def test_the_same_file_gives_the_same_bytes(written, tmp_path):
    for name in ("a", "b"):
        convert(written[0], tmp_path / name)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


@pytest.mark.parametrize(
    ("content", "said"), [(b"PK\x03\x04", "no GGUF file"), (b"GGUF\x03\0\0\0", "cannot be conv")]
)
def test_what_is_no_gguf_is_refused(tmp_path, content, said):
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(BadModelError, match=said):
        convert(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
