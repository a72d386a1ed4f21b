"""Calls 14-17: models and data sets through transformers and datasets. The new client only."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.golden.person import Person

TINY = Path(__file__).resolve().parents[1] / "data" / "tiny-shakespeare-llama"
LOAD = """
import json, sys, torch
from transformers import AutoConfig, AutoModel, AutoTokenizer
def load(name):
    config = AutoConfig.from_pretrained(name)
    tokens = AutoTokenizer.from_pretrained(name)("To be or not")["input_ids"]
    with torch.inference_mode():
        state = AutoModel.from_pretrained(name)(torch.tensor([tokens])).last_hidden_state
    return [config.model_type, tokens, [round(float(x), 4) for x in state[0, -1, :4]]]
print(json.dumps([load(name) for name in sys.argv[1:]]))
"""
PUSH = """
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, name = sys.argv[1:]
AutoModelForCausalLM.from_pretrained(folder).push_to_hub(name)
AutoTokenizer.from_pretrained(folder).push_to_hub(name)
"""
DATASET = """
import json, sys
from datasets import Dataset, load_dataset
name = sys.argv[1]
rows = [{"text": f"line {i}", "label": i % 3} for i in range(50)]
Dataset.from_list(rows).push_to_hub(name)
loaded = load_dataset(name, split="train")
streamed = load_dataset(name, split="train", streaming=True)
print(json.dumps([loaded.to_list() == rows, list(streamed) == rows]))
"""
CSV = """
import json, sys
from datasets import load_dataset
found = load_dataset(sys.argv[1])
print(json.dumps({split: found[split].to_list() for split in found}))
"""


def test_call_14_and_15_models_load_and_load_offline(ann: Person):
    names = uploaded, pushed = ann.new_name("m2"), ann.new_name("m2")
    shutil.copytree(TINY, ann.home / "tiny", dirs_exist_ok=True)
    ann.hf("upload", uploaded, "./tiny", ".")
    ann.python(PUSH, "./tiny", pushed)
    for name in names:
        info = ann.api.model_info(name, files_metadata=True)
        files = {one.rfilename: one for one in info.siblings or []}
        assert files["model.safetensors"].lfs and "README.md" in files
    fresh = {"HF_HOME": str(ann.home / "call-14")}
    *found, wanted = json.loads(ann.python(LOAD, *names, TINY, **fresh))
    assert found == [wanted, wanted] and wanted[0] == "llama"
    assert json.loads(ann.python(LOAD, *names, HF_HUB_OFFLINE="1", **fresh)) == found


def test_call_16_a_data_set_comes_back_as_it_was(ann: Person):
    assert json.loads(ann.python(DATASET, ann.new_name("d2"))) == [True, True]


def test_call_17_plain_csv_files_are_a_data_set(ann: Person):
    files = {"train.csv": b"text,label\na,0\nb,1\n", "test.csv": b"text,label\nc,1\n"}
    name = ann.repo("csv", files, repo_type="dataset")
    assert json.loads(ann.python(CSV, name)) == {
        "train": [{"text": "a", "label": 0}, {"text": "b", "label": 1}],
        "test": [{"text": "c", "label": 1}],
    }
