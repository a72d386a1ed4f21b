"""What must not be merged is named; what transformers itself saves is not."""

import json

import numpy as np
import pytest

from reviews.weights.checks import blocks, check_checkpoint, check_values
from tests.weights.folders import TINY, files_in, opened, values_of, write_model, write_shards
from tests.weights.gguf_writing import write_gguf

LLAMA = json.loads((TINY / "config.json").read_text())


def tiny_tensors():
    with opened(TINY) as model:
        return {name: values_of(tensor) for name, tensor in model.tensors.items()}


@pytest.fixture(scope="module")
def tiny():
    return tiny_tensors()


def problems(folder, *, values=True):
    with opened(folder) as model:
        return check_checkpoint(model, values=values)


def told(found):
    return [(each.code, each.tensor) for each in found]


def test_what_a_shard_that_cannot_be_read_holds_is_not_missing(tmp_path, tiny):
    folder = write_shards(tmp_path, tiny, count=2)
    (folder / "config.json").write_text(json.dumps(LLAMA))
    assert problems(folder) == []
    (folder / "model-00002-of-00002.safetensors").write_bytes(b"\xff" * 64)
    assert told(problems(folder)) == [("header_unreadable", None)]


UP = "model.layers.2.mlp.up_proj.weight"


def test_a_sound_model_has_no_problem():
    assert problems(TINY) == []


@pytest.mark.parametrize(
    ("code", "number", "dtype"),
    [
        ("nan", np.nan, np.float32),
        ("inf", -np.inf, np.float32),
        ("nan", np.nan, np.float16),
        ("inf", np.inf, np.float16),
        ("nan", np.nan, np.float64),
    ],
)
def test_numbers_that_are_none_are_counted_and_placed(tmp_path, tiny, code, number, dtype):
    wrong = tiny[UP].astype(dtype)
    wrong[5, 7] = wrong[9, 1] = number
    folder = write_model(tmp_path, {**tiny, UP: wrong})
    [problem] = [each for each in problems(folder) if blocks(each)]
    assert (problem.code, problem.tensor) == (code, UP)
    assert problem.parameters["count"] == 2
    assert problem.parameters["first"] == 5 * wrong.shape[1] + 7
    assert told(problems(folder, values=False)) == [("config_not_checked", None)]


@pytest.mark.parametrize(
    ("code", "bits", "dtype"),
    [
        ("nan", 0x7FC1, "BF16"),
        ("inf", 0xFF80, "BF16"),
        ("nan", 0x7F, "F8_E4M3"),
        ("inf", 0x7C, "F8_E5M2"),
        ("nan", 0x7D, "F8_E5M2"),
    ],
)
def test_codes_that_numpy_has_no_dtype_for_are_checked(tmp_path, code, bits, dtype):
    size = 2 if dtype == "BF16" else 1
    codes = np.full(300_000, 1, dtype=f"u{size}")
    codes[299_000] = bits
    header = {"a": {"dtype": dtype, "shape": [300_000], "data_offsets": [0, 300_000 * size]}}
    body = json.dumps(header).encode()
    content = len(body).to_bytes(8, "little") + body + codes.tobytes()
    (tmp_path / "model.safetensors").write_bytes(content)
    with opened(tmp_path) as model:
        [problem] = check_values(model.tensors["a"])
        assert problem.code == code
        assert problem.parameters == {"count": 1, "first": 299_000, "file": "model.safetensors"}


def test_integers_and_dtypes_that_are_not_decoded_have_no_nan(tmp_path):
    body = json.dumps(
        {
            "packed": {"dtype": "F4", "shape": [16], "data_offsets": [0, 8]},
            "whole": {"dtype": "I64", "shape": [1], "data_offsets": [8, 16]},
        }
    ).encode()
    content = len(body).to_bytes(8, "little") + body + b"\xff" * 16
    (tmp_path / "model.safetensors").write_bytes(content)
    assert told(problems(tmp_path)) == [("config_not_checked", None)]


def test_blocks_with_a_scale_that_is_none_are_found(tmp_path):
    path = write_gguf(tmp_path / "m.gguf", {"blk.0.ffn_up.weight": np.ones((4, 64))}, kind="Q8_0")
    with opened(tmp_path) as model:
        [tensor] = model.tensors.values()
        last = tensor.span.offset + tensor.span.size - 34
        content = bytearray(path.read_bytes())
        content[last : last + 2] = b"\x00\x7e"  # the last block's scale
        path.write_bytes(content)
        [problem] = check_values(tensor)
        assert (problem.code, problem.parameters["count"]) == ("nan", 32)


def changed(tiny, **changes):
    return {**tiny, **changes}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda held: held.pop(UP), ("missing", UP)),
        (lambda held: held.update(ghost=np.ones(2, np.float32)), ("unexpected", "ghost")),
        (lambda held: held.update({UP: held[UP].T.copy()}), ("shape_mismatch", UP)),
        (lambda held: held.update({UP: held[UP].astype(np.float16)}), ("dtype_mismatch", UP)),
    ],
)
def test_what_the_configuration_does_not_ask_for_is_told(tmp_path, tiny, change, expected):
    held = dict(tiny)
    change(held)
    found = problems(write_model(tmp_path, held, config=LLAMA))
    assert told(found) == [expected]
    assert all(blocks(each) for each in found)


def test_added_rows_need_a_larger_vocabulary_in_the_configuration(tmp_path, tiny):
    name = "model.embed_tokens.weight"
    held = {**tiny, name: np.vstack([tiny[name], tiny[name][:8]])}
    [problem] = problems(write_model(tmp_path, held, config=LLAMA))
    assert (problem.code, problem.tensor) == ("shape_mismatch", name)
    assert problem.parameters["expected"] == [1024, 192]
    assert problem.parameters["found"] == [1032, 192]
    assert problems(write_model(tmp_path, held, config=LLAMA | {"vocab_size": 1032})) == []


def test_an_output_that_is_not_tied_must_be_there(tmp_path, tiny):
    config = LLAMA | {"tie_word_embeddings": False}
    folder = write_model(tmp_path, tiny, config=config)
    assert told(problems(folder)) == [("missing", "lm_head.weight")]


def test_a_head_of_another_class_is_not_judged_and_the_body_is(tmp_path, tiny):
    held = {**tiny, "v_head.weight": np.ones(3, np.float32), "model.x": np.ones(3, np.float32)}
    config = LLAMA | {"architectures": ["LlamaForRewards"]}
    assert told(problems(write_model(tmp_path, held, config=config))) == [("unexpected", "model.x")]
    assert ("unexpected", "v_head.weight") in told(
        problems(write_model(tmp_path, held, config=LLAMA))
    )


def test_two_embeddings_that_the_configuration_makes_one_must_be_equal(tmp_path, tiny):
    embedding = tiny["model.embed_tokens.weight"]
    folder = write_model(tmp_path, {**tiny, "lm_head.weight": embedding.copy()}, config=LLAMA)
    assert problems(folder) == []
    folder = write_model(tmp_path, {**tiny, "lm_head.weight": embedding * 2}, config=LLAMA)
    assert told(problems(folder)) == [("tie_contradicted", "lm_head.weight")]


def test_a_body_without_its_head_is_sound(tmp_path, tiny):
    held = {name.removeprefix("model."): each for name, each in tiny.items()}
    assert problems(write_model(tmp_path, held, config=LLAMA)) == []


def test_a_whole_model_in_another_dtype_is_one_problem(tmp_path, tiny):
    held = {name: each.astype(np.float16) for name, each in tiny.items()}
    [problem] = problems(write_model(tmp_path, held, config=LLAMA))
    assert problem.code == "dtype_mismatch"
    assert problem.parameters["count"] == len(tiny)
    assert (problem.parameters["expected"], problem.parameters["found"]) == ("F32", "F16")
    assert len(problem.parameters["tensors"]) == 20


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_type": "mystery"}, "model_type"),
        ({"quantization_config": {"bits": 4}}, "quantized"),
    ],
)
def test_what_cannot_be_checked_is_said_and_blocks_nothing(tmp_path, tiny, changes, reason):
    [problem] = problems(write_model(tmp_path, tiny, config=LLAMA | changes))
    assert (problem.code, problem.parameters["reason"]) == ("config_not_checked", reason)
    assert not blocks(problem)


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_size": 0}, {"hidden_size": None}, {"hidden_size": "192"}, {"vocab_size": -1},
        {"num_hidden_layers": 10**9}, {"num_attention_heads": 0}, {"intermediate_size": 2**70},
        {"hidden_size": True},
    ],
)  # fmt: skip
def test_sizes_that_are_none_are_told_in_no_time(tmp_path, tiny, changes):
    [problem] = problems(write_model(tmp_path, tiny, config=LLAMA | changes), values=False)
    assert problem.code == "config_wrong"
    assert problem.parameters["field"] in changes


def test_progress_is_told_for_every_tensor():
    seen = []
    with opened(TINY) as model:
        check_checkpoint(model, values=True, progress=lambda tensor: seen.append(tensor.name))
        assert seen == list(model.tensors)


SMALL = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 60}
GPT2 = {"n_layer": 2, "n_embd": 48, "n_head": 4, "vocab_size": 60, "n_positions": 16}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "sizes", "heads"),
    [
        ("gpt2", GPT2, ["GPT2ForTokenClassification", "GPT2ForQuestionAnswering"]),
        ("bert", SMALL | {"intermediate_size": 96}, ["BertForMultipleChoice"]),
        ("llama", SMALL, ["LlamaForTokenClassification", "LlamaForQuestionAnswering"]),
        ("gpt2", GPT2, ["GPT2Model", "GPT2LMHeadModel", "GPT2ForSequenceClassification"]),
        (
            "bert", SMALL | {"num_labels": 5, "intermediate_size": 96},
            ["BertModel", "BertForMaskedLM", "BertForPreTraining", "BertForTokenClassification"],
        ),
        ("llama", SMALL | {"num_key_value_heads": 2}, ["LlamaModel", "LlamaForCausalLM"]),
        ("llama", SMALL | {"attention_bias": True, "mlp_bias": True}, ["LlamaForCausalLM"]),
        ("mistral", SMALL | {"num_key_value_heads": 2}, ["MistralForSequenceClassification"]),
        ("qwen2", SMALL | {"tie_word_embeddings": True}, ["Qwen2ForCausalLM"]),
        ("qwen3", SMALL | {"attention_bias": True, "head_dim": 16}, ["Qwen3ForCausalLM"]),
    ],
)  # fmt: skip
def test_what_transformers_saves_is_sound(tmp_path, kind, sizes, heads):
    transformers = pytest.importorskip("transformers")
    for head in heads:
        config = transformers.AutoConfig.for_model(kind, **sizes)
        getattr(transformers, head)(config).save_pretrained(tmp_path / head)
        assert problems(tmp_path / head) == []
        assert "config.json" in files_in(tmp_path / head)


def test_a_gguf_is_checked_against_its_own_header(tmp_path):
    tensors = {"token_embd.weight": np.ones((3, 32)), "output_norm.weight": np.ones(32)}
    write_gguf(
        tmp_path / "m.gguf", tensors, tokens="abc", embedding_length=32, block_count=1,
        feed_forward_length=64, attention__head_count=4,
    )  # fmt: skip
    found = problems(tmp_path)
    assert {each.code for each in found} == {"missing"}
    assert all(blocks(each) for each in found)
    assert "model.layers.0.mlp.up_proj.weight" in {each.tensor for each in found}


def test_experts_in_a_gguf_are_not_taken_for_a_plain_model(tmp_path):
    tensors = {"token_embd.weight": np.ones((3, 32)), "blk.0.ffn_up_exps.weight": np.ones((2, 32))}
    write_gguf(tmp_path / "m.gguf", tensors, tokens="abc", embedding_length=32, expert_count=2)
    assert told(problems(tmp_path)) == [("config_not_checked", None)]
