"""Adapters merged as adapters: their products are averaged, checked against whole weights."""

from __future__ import annotations

import json

import numpy as np
import pytest

from reviews.weights.adapters import with_adapter
from reviews.weights.errors import WeightsError
from reviews.weights.merging.adapters import merge_adapters
from reviews.weights.merging.carry_out import merge
from reviews.weights.writer import write_checkpoint
from tests.weights.folders import opened, values_of, write_model
from tests.weights.merging.files import make_recipe

RANDOM = np.random.default_rng(11)
QUERY, VALUE = (f"model.layers.0.self_attn.{name}_proj" for name in "qv")
BASE = {
    f"{QUERY}.weight": np.zeros((8, 6), np.float32),
    f"{VALUE}.weight": np.zeros((4, 6), np.float32),
}
ROWS = {QUERY: 8, VALUE: 4}


def write_adapter(folder, *, rank, alpha, modules=(QUERY, VALUE), extra=None, **changes):
    tensors = dict(extra or {})
    for module in modules:
        place = f"base_model.model.{module}"
        tensors[f"{place}.lora_A.weight"] = RANDOM.normal(size=(rank, 6)).astype(np.float32)
        tensors[f"{place}.lora_B.weight"] = RANDOM.normal(size=(ROWS[module], rank)).astype(
            np.float32
        )
    write_model(folder, tensors, name="adapter_model.safetensors")
    settings = {"peft_type": "LORA", "r": rank, "lora_alpha": alpha, "task_type": "CAUSAL_LM"}
    settings |= {"target_modules": [each.rsplit(".", 1)[1] for each in modules]} | changes
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return folder


def effects(base, *folders):
    """What each adapter adds to every weight of a base of zeros."""
    found = []
    for folder in folders:
        with opened(base) as below, opened(folder) as above:
            made = with_adapter(below, above)
            found.append({name: values_of(tensor) for name, tensor in made.tensors.items()})
    return found


@pytest.fixture
def merged(tmp_path):
    """The effects of two adapters, and of one that a recipe makes of them."""
    write_model(tmp_path / "base", BASE)

    def merge(recipe, *folders):
        settings = json.loads((folders[0] / "adapter_config.json").read_text())
        with opened(folders[0]) as one, opened(folders[1]) as two:
            merge_adapters(recipe, [one, two], tmp_path / "out", settings=settings)
        return effects(tmp_path / "base", *folders, tmp_path / "out")

    return merge


@pytest.mark.parametrize(
    ("method", "parameters", "shared", "shares"),
    [
        ("linear", [{}, {}], {}, (0.5, 0.5)),
        ("linear", [{"weight": 1}, {"weight": 2}], {}, (1 / 3, 2 / 3)),
        ("task_arithmetic", [{}, {"weight": 0.5}], {"lambda": 0.8}, (0.8, 0.4)),
        ("ours", [{}, {}], {}, (1, 0)),
        ("theirs", [{}, {}], {}, (0, 1)),
    ],
)
def test_the_effects_of_adapters_are_added_up(tmp_path, merged, method, parameters, shared, shares):
    one = write_adapter(tmp_path / "one", rank=2, alpha=6)
    two = write_adapter(tmp_path / "two", rank=3, alpha=4, use_rslora=True)
    first, second, got = merged(make_recipe(method, *parameters, parameters=shared), one, two)
    for name in BASE:
        want = shares[0] * first[name] + shares[1] * second[name]
        assert got[name] == pytest.approx(want, rel=1e-5, abs=1e-5)
    settings = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert settings["r"] == sum(rank for rank, share in zip((2, 3), shares, strict=True) if share)
    assert settings["task_type"] == "CAUSAL_LM"
    assert not settings["use_rslora"]


def test_nothing_is_rounded_where_shares_are_powers_of_two(tmp_path, merged):
    one = write_adapter(tmp_path / "one", rank=2, alpha=4)
    two = write_adapter(tmp_path / "two", rank=2, alpha=2)
    merged(make_recipe("linear", {}, {}), one, two)
    with opened(one) as first, opened(two) as second, opened(tmp_path / "out") as out:
        for module in (QUERY, VALUE):
            place = f"base_model.model.{module}.lora_"
            found = [
                [each.tensors[f"{place}{side}.weight"] for each in (first, second, out)]
                for side in "AB"
            ]
            (a1, a2, a), (b1, b2, b) = (
                [each.rows(0, each.shape[0]) for each in side] for side in found
            )
            assert np.array_equal(a, np.concatenate([a1, a2]))
            assert np.array_equal(b, np.concatenate([b1, 0.5 * b2], axis=1))


def test_a_module_that_one_adapter_leaves_out_counts_as_unchanged(tmp_path, merged):
    one = write_adapter(tmp_path / "one", rank=2, alpha=6)
    two = write_adapter(tmp_path / "two", rank=3, alpha=3, modules=(QUERY,))
    first, second, got = merged(make_recipe("linear", {}, {}), one, two)
    for name in BASE:
        want = (first[name] + second[name]) / 2
        assert got[name] == pytest.approx(want, rel=1e-5, abs=1e-5)


def test_rules_pick_a_side_for_a_module(tmp_path, merged):
    one = write_adapter(tmp_path / "one", rank=2, alpha=6)
    two = write_adapter(tmp_path / "two", rank=3, alpha=3)
    rules = [
        {"tensors": "*.q_proj.weight", "merge_method": "theirs"},
        {"tensors": "*.v_proj.weight", "merge_method": "base"},
    ]
    _, second, got = merged(make_recipe("linear", {}, {}, rules=rules), one, two)
    assert got[f"{QUERY}.weight"] == pytest.approx(second[f"{QUERY}.weight"], rel=1e-5, abs=1e-5)
    assert not got[f"{VALUE}.weight"].any()


def head():
    return {"base_model.model.lm_head.weight": np.ones((4, 6), np.float32)}


@pytest.mark.parametrize("method", ["ties", "ours"])
def test_adapters_in_their_base_are_merged_as_whole_weights(tmp_path, method):
    base = write_model(tmp_path / "base", BASE)
    one = write_adapter(tmp_path / "one", rank=2, alpha=6)
    (wanted,) = effects(base, one)
    with opened(base) as below, opened(one) as above:
        effective = with_adapter(below, above)
        write_checkpoint({"model.safetensors": [*effective.tensors.values()]}, tmp_path / "whole")
        merge(make_recipe(method, {}), below, [effective], tmp_path / "out")
    for name in ("whole", "out"):
        with opened(tmp_path / name) as found:
            for weight, values in wanted.items():
                assert values_of(found.tensors[weight]) == pytest.approx(values, rel=1e-6)


@pytest.mark.parametrize(
    ("method", "first", "second", "code", "reason"),
    [
        ("ties", {}, {}, "adapter_not_exact", "ties"),
        ("linear", {}, {"extra": head()}, "adapter_not_exact", "whole_tensors"),
        ("linear", {}, {"fan_in_fan_out": True}, "adapter_not_exact", "fan_in_fan_out"),
        ("base", {}, {}, "adapter_not_exact", "nothing_left"),
        ("linear", {}, {"use_dora": True}, "adapter_not_supported", "use_dora"),
    ],
)
def test_what_is_no_sum_of_products_is_refused(
    tmp_path, merged, method, first, second, code, reason
):
    one = write_adapter(tmp_path / "one", rank=2, alpha=6, **first)
    two = write_adapter(tmp_path / "two", rank=2, alpha=6, **second)
    with pytest.raises(WeightsError) as refused:
        merged(make_recipe(method, {}, {}), one, two)
    assert (refused.value.code, refused.value.parameters["reason"]) == (code, reason)


def test_the_merged_adapter_loads_in_peft(tmp_path, merged):
    torch = pytest.importorskip("torch")
    peft = pytest.importorskip("peft")

    class Attention(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.q_proj = torch.nn.Linear(6, 8, bias=False)
            self.v_proj = torch.nn.Linear(6, 4, bias=False)

        def forward(self, x):
            return torch.cat([self.q_proj(x), self.v_proj(x)], -1)

    model = torch.nn.Module()
    model.model = torch.nn.Module()
    model.model.layers = torch.nn.ModuleList([torch.nn.Module()])
    model.model.layers[0].self_attn = Attention()
    for weight in model.parameters():
        torch.nn.init.zeros_(weight)
    one = write_adapter(tmp_path / "one", rank=2, alpha=6, task_type=None)
    two = write_adapter(tmp_path / "two", rank=3, alpha=3, modules=(QUERY,))
    *_, got = merged(make_recipe("linear", {}, {}), one, two)
    loaded = peft.PeftModel.from_pretrained(model, str(tmp_path / "out"))
    x = torch.from_numpy(RANDOM.normal(size=(5, 6)).astype(np.float32))
    with torch.no_grad():
        attention = loaded.base_model.model.model.layers[0].self_attn
        told = torch.cat([attention.q_proj(x), attention.v_proj(x)], -1).numpy()
    whole = np.concatenate([got[f"{module}.weight"] for module in (QUERY, VALUE)])
    assert told == pytest.approx(x.numpy() @ whole.T, rel=1e-4, abs=1e-4)
