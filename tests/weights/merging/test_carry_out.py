"""Carrying out recipes over files: values, laws bit for bit, layout, and what is refused."""

import json
import threading
import tracemalloc
from contextlib import ExitStack

import numpy as np
import pytest

from reviews.weights.checkpoint import open_checkpoint
from reviews.weights.errors import WeightsError
from reviews.weights.merging.carry_out import merge, merged_tensors
from reviews.weights.merging.conditions import conditions
from reviews.weights.merging.merged import same_codes
from reviews.weights.merging.methods import METHODS, Method
from reviews.weights.merging.preview import delta_preview
from reviews.weights.writer import write_checkpoint
from tests.weights.folders import TINY
from tests.weights.gguf_writing import write_gguf
from tests.weights.merging.files import make_recipe, opened, values_of, write_model

W = "layers.0.weight"
BASE = {W: [1.0, 1, 1, 1]}
FIRST, SECOND, THIRD = (
    {W: each} for each in ([1.5, 0.8, 1, 0.6], [1.3, 1.4, 0.9, 1.2], [0.7, 1.1, 1, 0.7])
)
AVERAGING = [method for method, facts in METHODS.items() if not facts.copies]


def random_model(seed, *, count=9, size=400, dtype="BF16"):
    rng = np.random.default_rng(seed)
    return {f"layers.{at}.w": (rng.normal(size=(size, 7)), dtype) for at in range(count)}


@pytest.mark.parametrize(
    ("method", "parameters", "shared", "want"),
    [
        ("linear", {}, {}, [1.1666666667, 1.1, 0.9666666667, 0.8333333333]),
        ("task_arithmetic", {}, {"lambda": 0.5}, [1.25, 1.15, 0.95, 0.75]),
        ("task_arithmetic", {}, {"normalize": True}, [1.1666666667, 1.1, 0.9666666667, 0.83333333]),
        ("ties", {"density": 0.5}, {}, [1.4, 1.4, 1, 0.65]),
        ("ties", {"density": 0.5}, {"normalize": False}, [1.8, 1.4, 1, 0.3]),
        ("ties", {"density": 0.5}, {"lambda": 0.5}, [1.2, 1.2, 1, 0.825]),
    ],
)
def test_worked_values_come_out_of_files(models, method, parameters, shared, want):
    folders = models.write(BASE, FIRST, SECOND, THIRD)
    recipe = make_recipe(method, parameters, parameters, parameters, parameters=shared)
    values, done = models.merge(recipe, folders)
    # The files are in float32: 1e-6 is what they hold.
    assert values[W] == pytest.approx(want, abs=1e-6)
    assert done.methods == {W: method}
    assert done.recipe_digest == recipe.digest


def test_slerp_and_model_stock_come_out_of_files(models):
    folders = models.write({W: [0.0, 0, 0]}, {W: [2.0, 0, 0]}, {W: [1.0, 1, 0]})
    values, _ = models.merge(make_recipe("slerp", {}, {}), folders, "slerp")
    assert values[W] == pytest.approx([1.6235883, 0.5411961001, 0], abs=1e-6)
    folders = models.write({W: [0.0, 0]}, {W: [1.0, 0]}, {W: [0.5, 0.8660254037844386]})
    values, _ = models.merge(make_recipe("model_stock", {}, {}), folders, "stock")
    assert values[W] == pytest.approx([0.5, 0.2886751346], abs=1e-6)


@pytest.mark.parametrize("dtype", ["BF16", "F16", "F32", "F64"])
@pytest.mark.parametrize("method", ["linear", "slerp", "model_stock", "ties"])
def test_a_model_merged_with_itself_is_itself_bit_for_bit(models, method, dtype):
    model = random_model(2, dtype=dtype)
    folders = models.write(random_model(1, dtype=dtype), model, model)
    merged, _ = models.merge(make_recipe(method, {"weight": 0.3}, {"weight": 0.7}), folders)
    with opened(folders[1]) as (want,):
        for name, tensor in want.tensors.items():
            wanted = tensor.values(0, tensor.count)
            if method == "ties" and dtype in {"F32", "F64"}:
                assert merged[name] == pytest.approx(wanted, rel=1e-6)
            else:
                assert np.array_equal(merged[name], wanted)


@pytest.mark.parametrize("method", AVERAGING)
def test_models_that_changed_nothing_give_the_base_bit_for_bit(models, method):
    folders = models.write(*[random_model(1)] * 3)
    parameters = {"density": 0.5}
    models.merge(make_recipe(method, parameters, parameters), folders)
    assert (models.folder / "out/model.safetensors").read_bytes()[-9 * 5_600 :] == (
        folders[0] / "model.safetensors"
    ).read_bytes()[-9 * 5_600 :]


@pytest.mark.parametrize("method", AVERAGING)
def test_the_same_recipe_gives_the_same_bytes(models, method):
    folders = models.write(random_model(1), random_model(2), random_model(3), shards=3)
    recipe = make_recipe(method, {"density": 0.4, "weight": 0.8}, {"density": 0.7}, seed=3)
    models.merge(recipe, folders, "one", threads=1)
    models.merge(recipe, folders, "three", threads=3)
    once, again = ((models.folder / name) for name in ("one", "three"))
    names = sorted(path.name for path in once.iterdir())
    assert names == sorted(path.name for path in folders[0].iterdir())
    for name in names:
        assert (once / name).read_bytes() == (again / name).read_bytes()


@pytest.mark.parametrize("method", [each for each in AVERAGING if each != Method.SLERP])
@pytest.mark.parametrize("dtype", ["BF16", "F32"])
def test_the_order_of_models_changes_no_bit(models, method, dtype):
    written = [random_model(seed, dtype=dtype) for seed in range(4)]
    folders = models.write(*written)
    weights = [{"weight": 0.2, "density": 0.5}, {"weight": 0.3, "density": 0.6}, {"weight": 0.9}]
    recipe = make_recipe(method, *weights)
    first, _ = models.merge(recipe, folders, "first")
    turned = type(recipe)(recipe.method, recipe.base, recipe.models[::-1])
    second, _ = models.merge(turned, [folders[0], *folders[:0:-1]], "second")
    assert first == second


def test_another_seed_drops_other_elements(models):
    folders = models.write(random_model(1), random_model(2), random_model(3))
    parameters = {"density": 0.5}
    one, two = (
        models.merge(
            make_recipe("dare_ties", parameters, parameters, seed=seed), folders, str(seed)
        )
        for seed in (1, 2)
    )
    assert one[0] != two[0]


def test_rules_pick_a_side_by_tensor_by_layer_and_by_file(models):
    names = ["embed.weight", "layers.0.up.weight", "layers.1.up.weight", "layers.2.up.weight"]
    folders = models.write(
        *({name: np.full(3, value) for name in names} for value in (0.0, 1.0, 2.0)), shards=4
    )
    rules = [
        {"tensors": "embed.*", "merge_method": "theirs"},
        {"layers": [1, 1], "merge_method": "ours"},
        {"files": "model-00004-*", "merge_method": "base"},
    ]
    values, done = models.merge(make_recipe("linear", {}, {}, rules=rules), folders)
    assert [values[name][0] for name in names] == [2, 1.5, 1, 0]
    assert list(done.methods.values()) == ["theirs", "linear", "ours", "base"]
    index = json.loads(done.files["model.safetensors.index.json"].read_text())
    assert index["weight_map"]["embed.weight"] == "model-00001-of-00004.safetensors"
    assert index["metadata"]["total_size"] == 4 * 3 * 4


def test_a_side_taken_brings_its_shape_its_additions_and_its_removals(models):
    folders = models.write(
        {"a.weight": np.ones(2), "gone.weight": np.ones(1)},
        {"a.weight": np.ones(3), "new.weight": np.ones(5)},
    )
    values, _ = models.merge(make_recipe("ours", {}), folders)
    assert {name: len(each) for name, each in values.items()} == {"a.weight": 3, "new.weight": 5}


def test_another_dtype_may_be_asked_for(models):
    folders = models.write({W: [1.0, 1 / 3]}, {W: [1.0, 1 / 3]})
    models.merge(make_recipe("ours", {}, dtype="bfloat16"), folders)
    with opened(models.folder / "out") as (merged,):
        assert merged.tensors[W].dtype == "BF16"
        assert merged.tensors[W].values(0, 2)[1] == 0.333984375
    models.merge(make_recipe("linear", {}, dtype="bfloat16"), folders, "linear")
    with opened(models.folder / "linear") as (merged,):
        assert merged.tensors[W].values(0, 2)[1] == 0.333984375


KEPT = {"position_ids": ([0, 1, 2], "I64"), "bn.running_mean": [0.5], "h.0.attn.bias": [1.0]}


def test_counters_and_tables_are_copied_from_the_base(models):
    folders = models.write(BASE | KEPT, FIRST | KEPT, SECOND | KEPT)
    values, done = models.merge(make_recipe("linear", {}, {}), folders)
    assert values["position_ids"] == [0, 1, 2]
    assert values["bn.running_mean"] == [0.5]
    assert done.methods == {W: "linear"} | dict.fromkeys(KEPT, "base")


@pytest.mark.parametrize(
    "changed", [{"position_ids": ([0, 1, 3], "I64")}, {"bn.running_mean": [1]}]
)
def test_counters_that_differ_are_never_averaged(models, changed):
    folders = models.write(BASE | KEPT, FIRST | KEPT, SECOND | KEPT | changed)
    with pytest.raises(WeightsError) as refused:
        models.merge(make_recipe("linear", {}, {}), folders)
    assert refused.value.code == "not_averaged"
    assert refused.value.parameters["tensor"] in changed
    rules = [{"tensors": list(changed), "merge_method": "theirs"}]
    values, _ = models.merge(make_recipe("linear", {}, {}, rules=rules), folders)
    for name, given in changed.items():
        assert values[name] == (given[0] if isinstance(given, tuple) else given)


@pytest.mark.parametrize(
    ("model", "code"),
    [({W: [1.0, 1]}, "shapes_differ"), ({"other": [1.0]}, "not_in_every_model")],
)
def test_models_of_another_make_are_refused(models, model, code):
    folders = models.write(BASE, FIRST, model)
    with pytest.raises(WeightsError) as refused:
        models.merge(make_recipe("linear", {}, {}), folders)
    assert refused.value.code == code
    assert not (models.folder / "out").exists()


def test_progress_is_told_to_the_end(models):
    folders = models.write(random_model(1), random_model(2))
    told = []
    models.merge(make_recipe("linear", {}), folders, progress=lambda *each: told.append(each))
    assert told == sorted(told)
    assert told[-1] == (9 * 5_600, 9 * 5_600)


def test_a_merge_whose_claim_is_lost_leaves_nothing_behind(models):
    folders = models.write(random_model(1), random_model(2), shards=2)
    here = []

    def progress(done, total):
        here.append(threading.current_thread())
        raise LookupError("claim lost")

    with pytest.raises(LookupError):
        models.merge(make_recipe("linear", {}), folders, progress=progress)
    assert here == [threading.current_thread()], "a thread of its own would need a database's"
    assert list((models.folder / "out").iterdir()) == []


def test_a_file_that_ends_too_early_leaves_nothing_behind(models):
    folders = models.write(random_model(1), random_model(2))
    path = folders[1] / "model.safetensors"
    with opened(*folders) as (base, model):
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size - 3_000)
        with pytest.raises(WeightsError, match="file_cut_off"):
            merge(make_recipe("linear", {}), base, [model], models.folder / "out")
    assert list((models.folder / "out").iterdir()) == []


@pytest.mark.parametrize("name", ["../x.safetensors", "/x.safetensors", "a/../../x", ""])
def test_no_file_is_written_outside(models, name):
    with pytest.raises(WeightsError, match="file_outside"):
        write_checkpoint({name: []}, models.folder / "out")


def test_infinity_and_nan_go_through_without_a_warning(models):
    folders = models.write(
        {W: [np.inf, np.nan, 1e38]}, {W: [1.0, 1, 3e38]}, {W: [-np.inf, 1, 3e38]}
    )
    for method in AVERAGING:
        recipe = make_recipe(method, {"density": 0.5}, {"density": 0.5}, dtype="float16")
        values, _ = models.merge(recipe, folders, method)
        assert not np.isfinite(values[W][0])


def test_scalars_and_empty_tensors_merge(models):
    folders = models.write(
        *({"s": (np.array(value), "BF16"), "e": np.empty((0, 3))} for value in (0.0, 1.0, 3.0))
    )
    for method in AVERAGING:
        recipe = make_recipe(method, {"density": 0.5}, {"density": 0.5})
        values, _ = models.merge(recipe, folders, method)
        assert values["e"] == []
    assert models.merge(make_recipe("linear", {}, {}), folders)[0]["s"] == [2]


HEADS = {"attention__head_count": 4, "attention__head_count_kv": 2}


def test_a_gguf_is_written_as_safetensors_in_the_order_of_transformers(tmp_path):
    stored = {"blk.0.attn_q.weight": np.random.default_rng(5).normal(size=(64, 32))}
    path = write_gguf(tmp_path / "m.gguf", stored, **HEADS)
    with open_checkpoint({"m.gguf": path}) as model:
        for method in ("ours", "linear"):
            done = merge(make_recipe(method, {}), model, [model], tmp_path / method)
            assert list(done.files) == ["model.safetensors"]
            with opened(tmp_path / method) as (merged,):
                assert values_of(merged) == values_of(model)
        merge(make_recipe("linear", {}, dtype="bfloat16"), model, [model], tmp_path / "cast")


def test_quantised_weights_are_never_averaged_and_taken_only_with_a_dtype(tmp_path):
    for seed, name in enumerate("abc"):
        random = np.random.default_rng(seed)
        stored = {"blk.0.attn_q.weight": random.normal(size=(64, 32))}
        write_gguf(tmp_path / f"{name}.gguf", stored, kind="Q8_0", **HEADS)
    with ExitStack() as kept:
        base, *models = (
            kept.enter_context(open_checkpoint({"m.gguf": tmp_path / f"{name}.gguf"}))
            for name in "abc"
        )
        for method, code in [("linear", "not_averaged"), ("theirs", "dtype_needed")]:
            with pytest.raises(WeightsError, match=code):
                merge(make_recipe(method, {}, {}), base, models, tmp_path / "out")
        merge(make_recipe("theirs", {}, {}, dtype="float32"), base, models, tmp_path / "out")
        with opened(tmp_path / "out") as (merged,):
            assert values_of(merged) == values_of(models[1])


def test_memory_is_that_of_pieces_and_not_of_tensors(models):
    big = {W: np.zeros((1 << 12, 1 << 11))}  # 8 M elements, 64 MB where they are worked on
    changed = {W: np.arange(1 << 23).reshape(1 << 12, 1 << 11) % 1000}
    folders = models.write(big, changed, changed)
    recipe = make_recipe("ties", {"density": 0.3}, {"density": 0.3})
    with opened(*folders) as (base, *parents):
        tracemalloc.start()
        try:
            merge(recipe, base, parents, models.folder / "out")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    # keep_heap's block of 31 MB is asked for and never touched.
    assert peak < 50e6


def test_a_real_checkpoint_is_merged_with_its_tokenizer_and_config_alike(tmp_path):
    with opened(TINY, TINY, TINY) as (base, *same):
        found = conditions(base, same, same_ancestor=True)
        assert [each.code for each in found if not each.holds] == []
        merge(make_recipe("linear", {}, {}), base, same, tmp_path)
        with opened(tmp_path) as (merged,):
            assert not merged.problems
            assert list(merged.tensors) == list(base.tensors)
            assert all(
                same_codes(base.tensors[name], merged.tensors[name]) for name in base.tensors
            )


def test_the_preview_tells_how_far_the_merge_lies_from_each_parent(models):
    folders = models.write({W: [0.0, 0]}, {W: [3.0, 4]}, {W: [6.0, 8]})
    with opened(*folders) as (base, *parents):
        recipe = make_recipe("linear", {}, {})
        merged = {name: made for name, (made, _) in merged_tensors(recipe, base, parents).items()}
        preview = delta_preview(merged, [base.tensors, *(each.tensors for each in parents)])
    relative = [each.relative for each in preview.tensors[W]]
    assert relative == [None, 0.5, 0.25]
    assert [preview.total(at) for at in range(3)] == [None, 0.5, 0.25]


def test_the_preview_passes_over_what_a_parent_lacks(models):
    write_model(models.folder / "a", {W: [1.0]})
    write_model(models.folder / "b", {W: [1.0, 2]})
    with opened(models.folder / "a", models.folder / "b") as (one, two):
        preview = delta_preview(one.tensors, [two.tensors, {}])
    assert preview.tensors == {W: [None, None]}
    assert preview.total(0) is None
