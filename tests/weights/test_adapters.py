"""An adapter beside its base: its effect by a second path, and what is refused."""

import json
import math
import time

import numpy as np
import pytest

from reviews.weights.adapter_config import Patterns, lora_config
from reviews.weights.adapters import with_adapter
from reviews.weights.diff import diff
from reviews.weights.digests import tensor_digest
from reviews.weights.errors import WeightsError
from reviews.weights.pairing import pair_tensors
from reviews.weights.summary import summarise
from tests.weights.folders import opened, values_of, write_model

RANDOM = np.random.default_rng(7)
CONFIG = {"peft_type": "LORA", "r": 2, "lora_alpha": 6, "target_modules": ["q_proj"]}
QUERY = "model.layers.0.self_attn.q_proj"
KEY = "model.layers.0.self_attn.k_proj"
BASE = {
    "model.embed_tokens.weight": RANDOM.normal(size=(11, 6)).astype(np.float32),
    f"{QUERY}.weight": RANDOM.normal(size=(8, 6)).astype(np.float32),
    "model.layers.0.self_attn.k_proj.weight": RANDOM.normal(size=(6, 6)).astype(np.float32),
    "model.norm.weight": RANDOM.normal(size=6).astype(np.float32),
}


def normal(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


def factors(module, rows, columns, rank=2):
    place = f"base_model.model.{module}"
    a, b = normal(rank, columns), normal(rows, rank)
    return {f"{place}.lora_A.weight": a, f"{place}.lora_B.weight": b}, a, b


def write_adapter(folder, tensors, **changes):
    write_model(folder, tensors, name="adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG | changes))
    return folder


def effective(tmp_path, tensors, *, base=BASE, config=None, **changes):
    """The numbers of each tensor of the base under the adapter."""
    write_model(tmp_path / "base", base, config=config)
    write_adapter(tmp_path / "adapter", tensors, **changes)
    with opened(tmp_path / "base") as below, opened(tmp_path / "adapter") as above:
        assert above.format == "adapter"
        made = with_adapter(below, above)
        return {name: values_of(tensor) for name, tensor in made.tensors.items()}


@pytest.mark.parametrize(
    ("changes", "scaling"),
    [
        ({}, 3.0),
        ({"use_rslora": True}, 6 / math.sqrt(2)),
        ({"alpha_pattern": {"q_proj": 5}}, 2.5),
        ({"alpha_pattern": {"layers.0.*q_proj": 4, "q_proj": 5}}, 2.0),
        ({"alpha_pattern": {"proj": 5, "k_proj": 4}}, 3.0),
        ({"rank_pattern": {"q_proj": 2}, "r": 16}, 3.0),
        ({"rank_pattern": {"q_proj": 2}, "r": 16, "use_rslora": True}, 6 / math.sqrt(2)),
    ],
)
def test_the_effect_is_base_plus_scaled_product(tmp_path, changes, scaling):
    tensors, a, b = factors(QUERY, 8, 6)
    found = effective(tmp_path, tensors, **changes)
    x = normal(6, 5)
    expected = BASE[f"{QUERY}.weight"] @ x + scaling * (b @ (a @ x))
    assert found[f"{QUERY}.weight"] @ x == pytest.approx(expected, rel=1e-5, abs=1e-5)
    for name in BASE.keys() - {f"{QUERY}.weight"}:
        assert np.array_equal(found[name], BASE[name])


@pytest.mark.parametrize("said", [True, False])
def test_a_product_that_lies_across_its_weight_is_turned(tmp_path, said):
    """GPT-2 stores [in, out]; the shapes tell, whatever the settings say."""
    tensors, a, b = factors("transformer.h.0.attn.c_attn", 24, 8)
    base = {"transformer.h.0.attn.c_attn.weight": normal(8, 24)}
    found = effective(tmp_path, tensors, base=base, fan_in_fan_out=said)
    [(name, values)] = found.items()
    assert values == pytest.approx(base[name] + 3 * (b @ a).T, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("said", [True, False])
def test_a_square_product_is_turned_when_the_settings_say_so(tmp_path, said):
    tensors, a, b = factors("model.layers.0.self_attn.k_proj", 6, 6)
    name = "model.layers.0.self_attn.k_proj.weight"
    found = effective(tmp_path, tensors, fan_in_fan_out=said)[name]
    product = (b @ a).T if said else b @ a
    assert found == pytest.approx(BASE[name] + 3 * product, rel=1e-5, abs=1e-5)


def test_an_embedding_s_product_is_turned(tmp_path):
    a, b = normal(2, 11), normal(6, 2)
    place = "base_model.model.model.embed_tokens.lora_embedding_"
    found = effective(tmp_path, {f"{place}A": a, f"{place}B": b})["model.embed_tokens.weight"]
    expected = BASE["model.embed_tokens.weight"] + 3 * (b @ a).T
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_modules_that_are_saved_whole_take_the_place_of_the_base_s(tmp_path):
    norm, head = normal(6), normal(3, 6)
    tensors = {"base_model.model.model.norm.weight": norm, "base_model.model.score.weight": head}
    found = effective(tmp_path, tensors, modules_to_save=["norm", "score"])
    assert np.array_equal(found["model.norm.weight"], norm)
    assert np.array_equal(found["score.weight"], head)


def test_an_adapter_of_a_tied_output_parts_it_from_the_input(tmp_path):
    tensors, a, b = factors("lm_head", 11, 6)
    config = {"model_type": "llama", "tie_word_embeddings": True}
    found = effective(tmp_path, tensors, config=config)
    embedding = BASE["model.embed_tokens.weight"]
    assert np.array_equal(found["model.embed_tokens.weight"], embedding)
    assert found["lm_head.weight"] == pytest.approx(embedding + 3 * (b @ a), rel=1e-5, abs=1e-5)


def test_an_adapter_made_without_the_model_s_outer_name_is_found(tmp_path):
    tensors, a, b = factors("layers.0.self_attn.q_proj", 8, 6)
    found = effective(tmp_path, tensors)[f"{QUERY}.weight"]
    expected = BASE[f"{QUERY}.weight"] + 3 * (b @ a)
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)


def test_only_adapted_tensors_differ_from_the_base(tmp_path):
    tensors, a, b = factors(QUERY, 8, 6)
    write_model(tmp_path / "base", BASE)
    write_adapter(tmp_path / "adapter", tensors)
    with opened(tmp_path / "base") as below, opened(tmp_path / "adapter") as above:
        made = with_adapter(below, above)
        kinds = {each.name: each.kind for each in pair_tensors(below, made)}
        assert kinds.pop(f"{QUERY}.weight") == "changed"
        assert set(kinds.values()) == {"same"}
        left, right, scaling = made.tensors[f"{QUERY}.weight"].delta_factors
        assert (left @ right) * scaling == pytest.approx(3 * (b @ a), rel=1e-6, abs=1e-6)
        digest = tensor_digest(made.tensors[f"{QUERY}.weight"])
        assert digest.startswith("made-v1:")
        assert digest == tensor_digest(with_adapter(below, above).tensors[f"{QUERY}.weight"])


def test_an_adapter_beside_its_base_in_one_repository_is_both(tmp_path):
    tensors, a, b = factors(QUERY, 8, 6)
    write_model(tmp_path, BASE)
    write_adapter(tmp_path, tensors)
    with opened(tmp_path) as both:
        assert both.format == "safetensors"
        assert set(both.tensors) == set(BASE)
        made = with_adapter(both, both).tensors[f"{QUERY}.weight"]
        expected = BASE[f"{QUERY}.weight"] + 3 * (b @ a)
        assert values_of(made) == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"peft_type": "IA3"}, "peft_type=IA3"),
        ({"peft_type": None}, "peft_type=None"),
        ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights=pissa_niter_4"),
        ({"lora_bias": True}, "lora_bias"),
        ({"layer_replication": [[0, 2]]}, "layer_replication"),
        ({"target_parameters": ["experts.w1"]}, "target_parameters"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices"),
        ({"alora_invocation_tokens": [5]}, "alora_invocation_tokens"),
        ({"of_a_later_version": {"x": 1}}, "of_a_later_version"),
    ],
)
def test_what_cannot_be_worked_out_is_refused_by_its_setting(tmp_path, changes, reason):
    tensors, _, _ = factors(QUERY, 8, 6)
    write_model(tmp_path / "base", BASE)
    write_adapter(tmp_path / "adapter", tensors, **changes)
    with opened(tmp_path / "base") as below, opened(tmp_path / "adapter") as above:
        assert [(each.code, each.parameters["reason"]) for each in above.problems] == [
            ("adapter_not_supported", reason)
        ]
        with pytest.raises(WeightsError, match="adapter_not_supported"):
            with_adapter(below, above)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"r": 0}, "r"), ({"r": "8"}, "r"), ({"r": True}, "r"), ({"r": 10**9}, "r"),
        ({"lora_alpha": "x"}, "lora_alpha"), ({"lora_alpha": 1e300}, "lora_alpha"),
        ({"alpha_pattern": {"q_proj": None}}, "alpha_pattern"),
        ({"alpha_pattern": [1]}, "alpha_pattern"), ({"rank_pattern": {"a": 0}}, "rank_pattern"),
    ],
)  # fmt: skip
def test_wrong_settings_are_told(tmp_path, changes, field):
    tensors, _, _ = factors(QUERY, 8, 6)
    with opened(write_adapter(tmp_path, tensors, **changes)) as adapter:
        assert [(each.code, each.parameters["field"]) for each in adapter.problems] == [
            ("adapter_config_wrong", field)
        ]


@pytest.mark.parametrize("pattern", ["(", "[z-a]", ")"])
def test_a_pattern_that_is_none_is_refused(tmp_path, pattern):
    with pytest.raises(WeightsError, match="adapter_config_wrong"):
        effective(tmp_path, factors(QUERY, 8, 6)[0], alpha_pattern={pattern: 3})


@pytest.mark.parametrize("pattern", ["((a{1000}){1000}){1000}", "(?i)q_proj", "a" * 301])
def test_a_pattern_that_would_fill_the_memory_is_never_compiled(pattern):
    with pytest.raises(WeightsError, match="adapter_config_wrong"):
        lora_config(CONFIG | {"alpha_pattern": {pattern: 3}})


def test_patterns_that_take_for_ever_are_given_up():
    start = time.process_time()
    patterns = Patterns({f"(.*?,)+(.*?,)+(.*?,)+(.*?,)+P{count}": 1 for count in range(40)})
    module = ",".join(map(str, range(60)))
    with pytest.raises(WeightsError, match="adapter_config_wrong"):
        for _ in range(1000):
            patterns.get(module, 0)
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        (factors(QUERY, 9, 6)[0], "shape"),
        (factors("model.layers.7.self_attn.q_proj", 8, 6)[0], "not_in_base"),
        ({f"base_model.model.{QUERY}.lora_A.weight": normal(2, 6)}, "half_missing"),
        (
            {
                f"base_model.model.{QUERY}.lora_A.weight": normal(2, 6),
                f"base_model.model.{QUERY}.lora_B.weight": normal(8, 3),
            },
            "rank",
        ),
    ],
)
def test_an_adapter_of_another_base_is_refused(tmp_path, tensors, reason):
    with pytest.raises(WeightsError, match="adapter_does_not_fit") as raised:
        effective(tmp_path, tensors)
    assert raised.value.parameters["reason"] == reason


def test_factors_of_another_rank_than_the_settings_say_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="reason=rank"):
        effective(tmp_path, factors(QUERY, 8, 6)[0], r=4)


def test_a_checkpoint_without_an_adapter_is_refused(tmp_path):
    with opened(write_model(tmp_path, BASE)) as base, pytest.raises(WeightsError, match="no_adap"):
        with_adapter(base, base)


@pytest.mark.filterwarnings("ignore")
def test_peft_merges_the_same_numbers(tmp_path):
    """The second path is the library that wrote the adapter, for each kind of setting."""
    torch = pytest.importorskip("torch")
    peft = pytest.importorskip("peft")
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "vocab_size": 40}
    model = LlamaForCausalLM(LlamaConfig(num_attention_heads=4, num_key_value_heads=2, **sizes))
    model.save_pretrained(tmp_path / "base")
    settings = peft.LoraConfig(
        r=4, lora_alpha=16, use_rslora=True, target_modules=["q_proj", "down_proj", "embed_tokens"],
        modules_to_save=["norm"], rank_pattern={"q_proj": 2}, alpha_pattern={"1.mlp.down_proj": 7},
    )  # fmt: skip
    adapted = peft.get_peft_model(model, settings)
    for name, weight in adapted.named_parameters():
        if "lora_" in name or "modules_to_save" in name:
            weight.data = torch.randn_like(weight) * 0.1
    adapted.save_pretrained(tmp_path / "adapter")
    adapted.merge_and_unload().save_pretrained(tmp_path / "merged")
    with (
        opened(tmp_path / "base") as base,
        opened(tmp_path / "adapter") as adapter,
        opened(tmp_path / "merged") as merged,
    ):
        made = with_adapter(base, adapter)
        assert set(made.tensors) == set(merged.tensors)
        for name, tensor in merged.tensors.items():
            assert values_of(made.tensors[name]) == pytest.approx(values_of(tensor), abs=1e-6), name


@pytest.mark.parametrize(
    ("zero", "code"), [([QUERY, KEY], "adapter_idle"), ([KEY], "adapter_idle_in")]
)
def test_an_adapter_that_adds_nothing_is_told(tmp_path, zero, code):
    tensors = {}
    for module in (QUERY, KEY):
        held, _, b = factors(module, *BASE[f"{module}.weight"].shape)
        if module in zero:
            b[:] = 0
        tensors |= held
    write_model(tmp_path / "base", BASE)
    write_adapter(tmp_path / "adapter", tensors)
    with opened(tmp_path / "base") as below, opened(tmp_path / "adapter") as above:
        made = with_adapter(below, above)
        summary = summarise(list(diff(pair_tensors(below, made))), None, made.tensors)
    idle = next(fact for fact in summary.facts if fact.code == code)
    assert set(idle.parameters["tensors"]) == {f"{module}.weight" for module in zero}
    assert summary.touched == 2 - len(zero)
    assert ("no_change" in {fact.code for fact in summary.facts}) is (code == "adapter_idle")
