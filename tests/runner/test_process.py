"""The runner as the worker meets it: a process of its own, inside the sandbox."""

import json

import pytest

from tests.runner.conftest import DATA, TINY, run_process
from training.sandbox import Limits, ReadOnly, Sandbox, python_inputs, runner_argv, runner_env

RECIPE = {
    "prompt": "Message: {{text}}\nAnswer:", "completion": "label", "learning_rate": 5e-3,
    "max_steps": 2, "per_device_train_batch_size": 2, "bf16": True,
    "lora": {"r": 2, "target_modules": "all-linear"},
}  # fmt: skip


def test_a_finetune_runs_in_the_sandbox_and_only_talks_json(tmp_path):
    (tmp_path / "job.json").write_text(json.dumps({
        "kind": "finetune", "model": "/in/model", "data": ["/in/data/train.jsonl"],
        "recipe": RECIPE, "threads": 1, "base_model": "demo/tiny",
    }))  # fmt: skip
    lines: list[bytes] = []
    sandbox = Sandbox(
        tmp_path, argv=runner_argv(), out=tmp_path / "out", env=runner_env(1),
        limits=Limits(wall_seconds=200, cpu_seconds=200, memory_bytes=3 << 30, out_bytes=1 << 28),
        inputs=[*python_inputs(), ReadOnly(tmp_path / "job.json", "/in/job.json"),
                ReadOnly(TINY, "/in/model"),
                ReadOnly(DATA / "sms_spam/train.jsonl", "/in/data/train.jsonl")],
    )  # fmt: skip
    ended = sandbox.run(lines.append, lambda: False)
    events = [json.loads(line) for line in lines]
    assert ended.reason == "ok", events
    kinds = [event["type"] for event in events]
    assert kinds.count("metric") == 2 and kinds[-1] == "done"
    assert [event["text"] for event in events if event.get("level") == "stderr"] == []
    assert (tmp_path / "out/result/adapter_model.safetensors").is_file()
    assert 100 << 20 < ended.peak_memory_bytes < 2 << 30


@pytest.mark.parametrize(
    ("job", "code", "said"),
    [
        ({"kind": "dance"}, "bad_job", "kind is none of finetune, evaluate, convert"),
        ({"kind": "convert", "gguf": "x", "shell": "rm"}, "bad_job", "does not know shell"),
        ({"kind": "evaluate", "sides": []}, "bad_job", "not complete.*benchmarks"),
        ({"kind": "convert", "gguf": __file__}, "bad_model", "no GGUF file"),
    ],
)
def test_a_failure_is_one_event_with_a_code_and_a_sentence(write_job, job, code, said):
    ended = run_process(write_job(**job))
    assert ended.status == 1
    (error,) = ended.of("error")
    assert error["code"] == code
    assert pytest.raises(AssertionError, match=said).matches(AssertionError(error["message"]))


def test_a_broken_job_file_is_told_without_a_traceback(tmp_path):
    path = tmp_path / "job.json"
    path.write_text("{")
    ended = run_process(path)
    assert (ended.status, ended.of("error")[0]["code"], ended.stderr) == (1, "bad_job", "")


def test_too_little_memory_is_told_in_words(write_job):
    import resource

    def starve() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))

    recipe = RECIPE | {"per_device_train_batch_size": 4096, "num_train_epochs": 1, "max_steps": -1}
    rows = [json.dumps({"text": "spam " * 100, "label": "spam"}) for _ in range(4096)]
    data = write_job().with_name("many.jsonl")
    data.write_text("\n".join(rows))
    job = write_job(kind="finetune", model=str(TINY), data=[str(data)], recipe=recipe)
    ended = run_process(job, preexec_fn=starve)
    assert ended.status == 1, ended.stderr
    assert ended.of("error")[0]["code"] == "out_of_memory"
