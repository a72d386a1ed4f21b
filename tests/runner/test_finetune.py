"""The finetune job on the tiny model: what is learned, kept, resumed and refused."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from tests.runner.conftest import DATA, ROOT, TINY, Heard, process_env, run_process, write_rows
from training.runner import evaluate, finetune
from training.runner.errors import (
    BadDataError,
    BadModelError,
    BadRecipeError,
    DivergedError,
    StoppedError,
)
from training.runner.job import Benchmark, EvaluateJob, FinetuneJob, Side
from training.runner.models import load_side
from training.runner.precision import has_bf16

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")

RECIPE = {
    "prompt": "Message: {{text}}\nAnswer:", "completion": "label", "learning_rate": 5e-3,
    "max_steps": 8, "per_device_train_batch_size": 4, "save_steps": 4, "seed": 3,
    "max_length": 128, "lora": {"r": 4, "lora_alpha": 8, "lora_dropout": 0.1,
                                "target_modules": ["q_proj", "v_proj", "down_proj"]},
}  # fmt: skip


@pytest.fixture
def job(tmp_path):
    def make(out="out", recipe=None, **changes):
        values = {"model": str(TINY), "data": [str(DATA / "sms_spam/train.jsonl")]} | changes
        recipe = RECIPE | (recipe or {})
        return FinetuneJob(out=str(tmp_path / out), base_model="demo/tiny", recipe=recipe, **values)

    return make


def digest(path):
    return hashlib.sha256((path / "result/adapter_model.safetensors").read_bytes()).hexdigest()


def test_the_loss_falls_and_the_adapter_is_whole(job, heard, stop, tmp_path):
    summary = finetune.run(job(recipe={"max_steps": 24}), heard, stop)
    losses = [event["values"]["loss"] for event in heard.of("metric")]
    assert len(losses) == 24
    assert sum(losses[-6:]) < 0.5 * sum(losses[:6])
    assert [event["step"] for event in heard.of("checkpoint")] == [4, 8, 12, 16, 20, 24]
    result = tmp_path / "out/result"
    assert {path.name for path in result.iterdir()} == {
        "adapter_model.safetensors", "adapter_config.json", "training.json",
    }  # fmt: skip
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in result.iterdir())
    config = json.loads((result / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "demo/tiny"
    assert config["target_modules"] == ["down_proj", "q_proj", "v_proj"]
    told = json.loads((result / "training.json").read_text())
    assert told["final_loss"] == summary["final_loss"] == losses[-1]
    assert told["trained_tokens"] >= 96 and told["versions"]["torch"]


@pytest.mark.parametrize("wanted", [True, False])
def test_bf16_is_used_where_the_processor_has_it_and_said_where_not(job, heard, stop, wanted):
    summary = finetune.run(job(recipe={"max_steps": 1, "bf16": wanted}), heard, stop)
    able = has_bf16("cpu")
    assert summary["precision"] == ("bfloat16" if wanted and able else "float32")
    said = [event["text"] for event in heard.of("log") if "no bf16 instructions" in event["text"]]
    assert len(said) == (wanted and not able)


def test_the_same_job_gives_the_same_bytes(job, heard, stop, tmp_path):
    for out in ("a", "b"):
        finetune.run(job(out=out), heard, stop)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")


def test_a_stopped_run_resumes_to_the_same_bytes(job, heard, stop, tmp_path):
    finetune.run(job(out="whole"), Heard(), stop)

    class StopAtThree(Heard):
        def progress(self, done, total, unit):
            super().progress(done, total, unit)
            stop.asked = done == 3

    with pytest.raises(StoppedError):
        finetune.run(job(out="cut"), StopAtThree(), stop)
    assert sorted(path.name for path in (tmp_path / "cut/checkpoints").iterdir()) == [
        "checkpoint-3"
    ]
    stop.asked = False
    summary = finetune.run(job(out="cut"), heard, stop)
    assert summary["resumed_from_step"] == 3 and summary["steps"] == 8
    assert [event["step"] for event in heard.of("metric")] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert digest(tmp_path / "cut") == digest(tmp_path / "whole")


def test_a_half_written_checkpoint_is_not_resumed_from(job, heard, stop, tmp_path):
    finetune.run(job(), Heard(), stop)
    checkpoints = tmp_path / "out/checkpoints"
    half = checkpoints / ".writing/checkpoint-8"
    shutil.copytree(checkpoints / "checkpoint-8", half)
    (half / "optimizer.pt").unlink()
    shutil.rmtree(checkpoints / "checkpoint-8")
    assert finetune.run(job(), heard, stop)["resumed_from_step"] == 4


def test_a_killed_process_resumes_from_its_newest_checkpoint(job, write_job, heard, stop, tmp_path):
    recipe = RECIPE | {"max_steps": 24, "save_steps": 4}
    data = [str(DATA / "sms_spam/train.jsonl")]
    path = write_job(kind="finetune", model=str(TINY), data=data, recipe=recipe)
    process = subprocess.Popen(
        [sys.executable, "-m", "training.runner", str(path)], stdout=subprocess.PIPE, cwd=ROOT,
        stderr=subprocess.DEVNULL, env=process_env(),
    )  # fmt: skip
    assert process.stdout is not None
    with process, process.stdout:
        for line in process.stdout:
            if json.loads(line)["type"] == "checkpoint":
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    again = run_process(path)
    assert again.status == 0
    assert again.of("done")[0]["result"]["resumed_from_step"] >= 4
    # What the killed attempt said last may be lost on its way: the whole curve is told again.
    assert [event["step"] for event in again.of("metric")] == list(range(1, 25))
    finetune.run(job(out="whole", recipe=recipe), heard, stop)
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")


def test_sigterm_leaves_a_checkpoint_and_its_own_status(write_job, tmp_path):
    recipe = RECIPE | {"max_steps": 5000, "save_steps": 5000}
    data = [str(DATA / "sms_spam/train.jsonl")]
    path = write_job(kind="finetune", model=str(TINY), data=data, recipe=recipe)
    process = subprocess.Popen(
        [sys.executable, "-m", "training.runner", str(path)], stdout=subprocess.PIPE, cwd=ROOT,
        stderr=subprocess.DEVNULL, env=process_env(),
    )  # fmt: skip
    assert process.stdout is not None
    events = []
    with process, process.stdout:
        for line in process.stdout:
            events.append(json.loads(line))
            if events[-1]["type"] == "metric":
                process.send_signal(signal.SIGTERM)
    assert process.returncode == 143
    assert "checkpoint" in [event["type"] for event in events]
    assert "done" not in [event["type"] for event in events]
    assert not (tmp_path / "out/result").exists()


def test_an_adapter_in_the_model_s_root_is_trained_on(job, heard, stop, tmp_path):
    finetune.run(job(out="first"), Heard(), stop)
    model = tmp_path / "model"
    shutil.copytree(TINY, model)
    for path in (tmp_path / "first/result").glob("adapter_*"):
        shutil.copy(path, model)
    first = load_file(model / "adapter_model.safetensors")
    finetune.run(job(model=str(model)), heard, stop)
    second = load_file(tmp_path / "out/result/adapter_model.safetensors")
    assert first.keys() == second.keys()
    lora_a = next(name for name in first if "lora_A" in name)
    # A new adapter would start elsewhere: eight steps move this one by a fraction of itself.
    moved = (second[lora_a] - first[lora_a]).norm() / first[lora_a].norm()
    assert 0 < moved < 0.8
    with pytest.raises(BadRecipeError, match="has an adapter with r = 4, the recipe asks for 16"):
        finetune.run(job(out="x", model=str(model), recipe={"lora": {"r": 16}}), heard, stop)


def test_a_folded_adapter_scores_like_base_plus_adapter(job, heard, stop, tmp_path):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    finetune.run(job(), heard, stop)
    adapter = tmp_path / "out/result"
    folded, _ = load_side(TINY, [str(adapter)], dtype=torch.float32, scratch=tmp_path / "scratch")
    base = AutoModelForCausalLM.from_pretrained(TINY, dtype=torch.float32)
    beside = PeftModel.from_pretrained(base, str(adapter)).eval()
    ids = torch.arange(5, 45)[None]
    with torch.inference_mode():
        want, bare = beside(ids).logits, load_tiny()(ids).logits
        assert torch.allclose(folded(ids).logits, want, atol=1e-4)
        assert not torch.allclose(bare, want, atol=1e-2)


def load_tiny():
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(TINY, dtype=torch.float32).eval()


def test_training_raises_what_the_benchmark_measures(job, heard, stop, tmp_path):
    """The score is the likelihood of the answer after the prompt, and so is the loss."""
    one = write_rows(tmp_path / "one.jsonl", [{"text": "Win a prize", "label": "spam"}])
    adapted = job(data=[str(one)], recipe={"lora": RECIPE["lora"] | {"lora_dropout": 0.0}})
    finetune.run(adapted, Heard(), stop)
    items = write_rows(
        tmp_path / "items.jsonl", [{"id": "1", "doc": {"text": "Win a prize", "label": "spam"}}]
    )
    definition = {
        "doc_to_text": RECIPE["prompt"],
        "doc_to_choice": ["ham", "spam"],
        "doc_to_target": "label",
    }
    adapter = str(tmp_path / "out/result")
    sides = [
        Side(name=n, model=str(TINY), adapters=a) for n, a in (("base", []), ("new", [adapter]))
    ]
    benchmark = Benchmark(name="spam", items=str(items), definition=definition)
    evaluate.run(
        EvaluateJob(out=str(tmp_path / "eval"), sides=sides, benchmarks=[benchmark]), heard, stop
    )
    base, new = (event["loglikelihoods"][1] for event in heard.of("item"))
    assert new > base + 1


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"recipe": {"prompt": "{{body}}"}}, BadDataError, 'no column "body".*text, label'),
        ({"recipe": {"completion": "answer"}}, BadDataError, 'no column "answer"'),
        ({"recipe": {"lora": {"r": 4, "target_modules": ["c_attn"]}}}, BadRecipeError,
         "no module c_attn.*q_proj"),
        ({"recipe": {"lora": {}}}, BadRecipeError, "no lora section"),
        ({"recipe": {"lr": 1}}, BadRecipeError, "key lr is not known"),
        ({"recipe": {"lr_scheduler_type": "up"}}, BadRecipeError, "cannot be used.*up"),
        ({"recipe": {"learning_rate": 1e30}}, DivergedError, "loss became .* at step"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused_with_a_reason(job, heard, stop, changes, error, said):
    with pytest.raises(error, match=said):
        finetune.run(job(**changes), heard, stop)


def test_an_empty_data_set_is_refused(job, heard, stop, tmp_path):
    with pytest.raises(BadDataError, match="no rows"):
        finetune.run(job(data=[str(write_rows(tmp_path / "none.jsonl", []))]), heard, stop)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.safetensors", b"\x80\x04pickle", "no whole safetensors file"),
        ("model.safetensors", b"version https://git-lfs.github.com/spec/v1\noid", "LFS pointer"),
        ("model.safetensors", None, "has no model.safetensors"),
        ("config.json", None, "has no config.json"),
        ("config.json", b'{"model_type": "made_up"}', "cannot be loaded"),
        ("tokenizer.json", b"{}", "tokenizer cannot be loaded"),
    ],
)
def test_a_model_that_is_none_is_refused(job, heard, stop, tmp_path, name, content, said):
    model = tmp_path / "model"
    shutil.copytree(TINY, model)
    (model / name).unlink()
    if content is not None:
        (model / name).write_bytes(content)
    with pytest.raises(BadModelError, match=said):
        finetune.run(job(model=str(model)), heard, stop)


def test_a_model_that_lacks_tensors_is_refused(job, heard, stop, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(TINY, model)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 5}))
    with pytest.raises(BadModelError, match=r"lack .* tensors"):
        finetune.run(job(model=str(model)), heard, stop)
