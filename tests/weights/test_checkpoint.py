"""Which files are the weights, and what is wrong with them, told before any tensor is read."""

import json
from pathlib import Path

import numpy as np
import pytest

from reviews.weights.checkpoint import open_checkpoint
from reviews.weights.checks import blocks
from reviews.weights.errors import WeightsError
from tests.weights.folders import (
    INDEX,
    TINY,
    files_in,
    opened,
    some_tensors,
    values_of,
    write_index,
    write_model,
    write_shards,
)

POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


def told(checkpoint):
    return [(each.code, each.tensor, each.parameters.get("reason")) for each in checkpoint.problems]


def crafted(header, data=b""):
    body = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(body).to_bytes(8, "little") + body + data


def entry(start, end):
    return {"dtype": "F32", "shape": [(end - start) // 4], "data_offsets": [start, end]}


def test_a_real_model_is_opened_with_its_configuration_and_tokens():
    with opened(TINY) as model:
        assert model.format == "safetensors"
        assert model.problems == ()
        assert len(model.tensors) == 38
        assert model.config["model_type"] == "llama"
        assert model.tokens[0] == "<|endoftext|>"
        assert len(model.tokens) == model.tensors["model.embed_tokens.weight"].shape[0]


@pytest.mark.parametrize("name", ["model.safetensors", "weights.safetensors"])
def test_tensors_of_one_file_are_read_whatever_it_is_called(tmp_path, name):
    expected = some_tensors()
    with opened(write_model(tmp_path, expected, name=name)) as model:
        assert model.problems == ()
        for each, values in expected.items():
            assert np.array_equal(values_of(model.tensors[each]), values)
            assert model.tensors[each].file == name


def test_shards_are_one_model(tmp_path):
    expected = some_tensors()
    with opened(write_shards(tmp_path, expected, count=3)) as model:
        assert model.problems == ()
        assert len({tensor.file for tensor in model.tensors.values()}) == 3
        for each, values in expected.items():
            assert np.array_equal(values_of(model.tensors[each]), values)


def test_the_single_file_is_the_model_and_variants_are_left_out(tmp_path):
    write_model(tmp_path, some_tensors())
    write_model(tmp_path, some_tensors(1), name="model.fp16.safetensors")
    write_model(tmp_path / "checkpoint-5", some_tensors(2))
    (tmp_path / "checkpoint-5" / "optimizer.pt").write_bytes(b"x")
    with opened(tmp_path) as model:
        assert model.problems == ()
        assert model.left_out == ("checkpoint-5/model.safetensors", "model.fp16.safetensors")


def test_what_trainers_leave_is_no_part_of_the_model(tmp_path):
    write_model(tmp_path, some_tensors())
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"):
        (tmp_path / name).write_bytes(b"\x80\x04")
    write_model(tmp_path, {"state": np.zeros(3)}, name="optimizer.safetensors")
    with opened(tmp_path) as model:
        assert model.problems == ()
        assert model.left_out == ()
        assert set(model.tensors) == set(some_tensors())


def test_pickles_are_named_and_never_read(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with opened(tmp_path) as model:
        assert [(each.code, each.parameters) for each in model.problems] == [
            ("no_weights", {}),
            ("not_readable", {"file": "pytorch_model.bin"}),
        ]


@pytest.mark.parametrize("name", ["model.safetensors", "model.gguf"])
def test_a_pointer_in_place_of_weights_is_told(tmp_path, name):
    (tmp_path / name).write_text(POINTER)
    with opened(tmp_path) as model:
        assert [(each.code, each.parameters) for each in model.problems] == [
            ("lfs_pointer", {"file": name})
        ]


def test_a_tensor_named_twice_in_one_file_is_told(tmp_path):
    body = json.dumps({"a": entry(0, 8)})[:-1] + ', "a": ' + json.dumps(entry(0, 8)) + "}"
    (tmp_path / "model.safetensors").write_bytes(crafted(body.encode(), bytes(8)))
    with opened(tmp_path) as model:
        assert [(each.code, each.tensor) for each in model.problems] == [("duplicate", "a")]


def test_a_tensor_in_two_shards_is_told(tmp_path):
    for number in (1, 2):
        held = {"a": np.zeros(2), f"b{number}": np.zeros(number)}
        write_model(tmp_path, held, name=f"model-0000{number}-of-00002.safetensors")
    with opened(tmp_path) as model:
        problem, _no_index = model.problems
        assert (problem.code, problem.tensor) == ("duplicate", "a")
        assert len(problem.parameters["files"]) == 2


def test_tensors_that_overlap_are_told(tmp_path):
    header = {"a": entry(0, 8), "b": entry(4, 12)}
    (tmp_path / "model.safetensors").write_bytes(crafted(header, bytes(12)))
    with opened(tmp_path) as model:
        assert [(each.code, each.tensor) for each in model.problems] == [("overlapping", "b")]


def test_a_cut_off_file_is_told(tmp_path):
    write_model(tmp_path, some_tensors())
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    with opened(tmp_path) as model:
        assert [each.code for each in model.problems] == ["header_unreadable"]
        assert not model.tensors


@pytest.mark.parametrize("shape", [[0, 2**62], [2**62, 0], [2**30, 0]])
def test_a_tensor_of_nothing_with_an_absurd_side_is_refused(tmp_path, shape):
    header = {"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}}
    (tmp_path / "model.safetensors").write_bytes(crafted(header))
    with opened(tmp_path) as model:
        assert [(each.code, each.tensor) for each in model.problems] == [("header_unreadable", "a")]


def lying_index(tmp_path, **changes):
    write_shards(tmp_path, some_tensors(), count=2)
    index = json.loads((tmp_path / INDEX).read_text())
    for name, shard in changes.items():
        index["weight_map"][name] = shard
    write_index(tmp_path, index)
    return tmp_path


def test_an_index_that_names_the_wrong_file_is_told(tmp_path):
    name = "model.norm.weight"
    true = "model-00001-of-00002.safetensors"
    wrong = "model-00002-of-00002.safetensors"
    with opened(lying_index(tmp_path, **{name: wrong})) as model:
        [problem] = model.problems
        assert (problem.code, problem.tensor) == ("index_lies", name)
        assert problem.parameters == {"reason": "wrong_file", "file": wrong, "found": true}
        assert name in model.tensors


def test_an_index_with_a_tensor_that_is_nowhere_is_told(tmp_path):
    with opened(lying_index(tmp_path, ghost="model-00001-of-00002.safetensors")) as model:
        assert told(model) == [("index_lies", "ghost", "missing_tensor")]


@pytest.mark.parametrize("shard", ["model-00009-of-00002.safetensors", "../../etc/passwd", ""])
def test_an_index_with_a_shard_that_is_nowhere_is_told(tmp_path, shard):
    with opened(lying_index(tmp_path, ghost=shard)) as model:
        assert told(model) == [("index_lies", None, "missing_shard")]


def test_a_tensor_that_the_index_does_not_name_is_told(tmp_path):
    write_shards(tmp_path, some_tensors(), count=2)
    index = json.loads((tmp_path / INDEX).read_text())
    del index["weight_map"]["model.norm.weight"]
    write_index(tmp_path, index)
    with opened(tmp_path) as model:
        assert told(model) == [("index_lies", "model.norm.weight", "not_in_index")]


def test_an_index_with_the_wrong_size_is_told(tmp_path):
    write_shards(tmp_path, some_tensors(), count=2, metadata={"total_size": 7})
    with opened(tmp_path) as model:
        [problem] = model.problems
        assert problem.parameters["reason"] == "total_size"
        assert problem.parameters["declared"] == 7


def test_a_deleted_shard_is_told_with_and_without_an_index(tmp_path):
    write_shards(tmp_path, some_tensors(), count=3)
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    with opened(tmp_path) as model:
        assert ("index_lies", None, "missing_shard") in told(model)
    (tmp_path / INDEX).unlink()
    with opened(tmp_path) as model:
        assert told(model) == [("index_lies", None, "missing_shard")]


def test_all_shards_without_their_index_are_told(tmp_path):
    write_shards(tmp_path, some_tensors(), count=2)
    (tmp_path / INDEX).unlink()
    with opened(tmp_path) as model:
        [problem] = model.problems
        about = {"reason": "no_index", "file": INDEX, "shards": "model-*-of-00002.safetensors"}
        assert (problem.code, dict(problem.parameters)) == ("index_lies", about)
        assert blocks(problem)
        assert model.tensors.keys() == some_tensors().keys()


def test_an_index_of_other_files_beside_the_single_one_is_told(tmp_path):
    write_shards(tmp_path, some_tensors(), count=2)
    write_model(tmp_path, some_tensors(1))
    with opened(tmp_path) as model:
        assert told(model) == [("index_lies", None, "beside_single_file")]


@pytest.mark.parametrize("index", [[], {"weight_map": []}, {"weight_map": {"a": 1}}, {}])
def test_an_index_of_another_form_is_told(tmp_path, index):
    write_model(tmp_path, some_tensors())
    write_index(tmp_path, index)
    with opened(tmp_path) as model:
        assert [each.code for each in model.problems] in (["index_lies"], ["json_unreadable"])


def test_a_configuration_that_cannot_be_read_is_told(tmp_path):
    write_model(tmp_path, some_tensors())
    (tmp_path / "config.json").write_text('{"a": NaN}')
    with opened(tmp_path) as model:
        assert [each.code for each in model.problems] == ["json_unreadable"]
        assert model.config is None


def test_a_file_that_is_gone_is_an_error(tmp_path):
    with pytest.raises(WeightsError, match="file_missing"):
        open_checkpoint({"model.safetensors": tmp_path / "model.safetensors"})


def test_a_file_that_is_cut_off_while_it_is_open_is_an_error(tmp_path):
    write_model(tmp_path, some_tensors())
    with opened(tmp_path) as model:
        (tmp_path / "model.safetensors").write_bytes(b"")
        with pytest.raises(WeightsError, match="file_cut_off"):
            model.tensors["model.norm.weight"].values(0, 8)


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_every_descriptor_is_closed_again(tmp_path):
    write_shards(tmp_path, some_tensors(), count=3)
    before = descriptors()
    with opened(tmp_path):
        assert descriptors() == before + 3
    assert descriptors() == before


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"vocab": {"a": 0, "b": 2}}, ("a", "", "b", "new")),
        ({"vocab": [["a", -1.5], ["b", -2.0]]}, ("a", "b", "", "new")),
        ({"vocab": 7}, None),
        (None, None),
        ({"vocab": {"a": 10**12, "b": "x"}}, ("", "", "", "new")),
    ],
)
def test_tokens_come_from_any_vocabulary(tmp_path, model, expected):
    write_model(tmp_path, some_tensors())
    tokenizer = {"model": model, "added_tokens": [{"id": 3, "content": "new"}, 4]}
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    with opened(tmp_path) as opened_model:
        assert opened_model.tokens == expected


def test_an_adapter_without_its_settings_is_told(tmp_path):
    write_model(tmp_path, some_tensors(), name="adapter_model.safetensors")
    with opened(tmp_path) as model:
        assert [each.code for each in model.problems] == ["adapter_config_missing"]


def test_a_pointer_in_place_of_an_adapter_is_told(tmp_path):
    (tmp_path / "adapter_model.safetensors").write_text(POINTER)
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    with opened(tmp_path) as model:
        assert [each.code for each in model.problems] == ["lfs_pointer"]
        assert model.adapter is None


def test_more_files_than_may_be_open_are_refused(tmp_path):
    write_model(tmp_path, {"a": np.zeros(1)}, name="m0.safetensors")
    files = {f"m{number}.safetensors": tmp_path / "m0.safetensors" for number in range(401)}
    with pytest.raises(WeightsError, match="too_many_files"):
        open_checkpoint(files)


def test_files_in_folders_are_found_by_their_paths(tmp_path):
    write_shards(tmp_path / "deep" / "model", some_tensors(), count=2)
    files = files_in(tmp_path)
    with open_checkpoint(files) as model:
        assert model.problems == ()
        assert {each.file for each in model.tensors.values()} <= set(files)
