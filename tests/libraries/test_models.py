"""transformers, peft and sentence-transformers: saved on one computer, loaded on another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.stack

TRANSFORMERS = """
import json, sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, name = sys.argv[1:]
model = AutoModelForCausalLM.from_pretrained(folder)
model.push_to_hub(name, private=True, commit_message="First weights")
AutoTokenizer.from_pretrained(folder).push_to_hub(name)
tokens = AutoTokenizer.from_pretrained(name)("To be", return_tensors="pt")
again = AutoModelForCausalLM.from_pretrained(name)
text = again.generate(**tokens, max_new_tokens=3, do_sample=False)
with torch.no_grad():
    next(model.parameters()).zero_()
number = model.push_to_hub(name, create_pr=True).pr_num
proposed = AutoModelForCausalLM.from_pretrained(name, revision=f"refs/pr/{number}")
main = AutoModelForCausalLM.from_pretrained(name)
def same(one, two):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
print(json.dumps([same(main, again), same(proposed, model), same(main, model), text.shape[1] > 3]))
"""
PEFT = """
import json, sys, torch
from peft import AutoPeftModelForCausalLM, LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM
folder, base, name = sys.argv[1:]
AutoModelForCausalLM.from_pretrained(folder).push_to_hub(base)
torch.manual_seed(0)
config = LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights=False)
model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).eval()
model.push_to_hub(name)
tokens = torch.tensor([[1, 2, 3, 4]])
loaded = AutoPeftModelForCausalLM.from_pretrained(name).eval()
over = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), name).eval()
plain = AutoModelForCausalLM.from_pretrained(base).eval()
with torch.inference_mode():
    wanted, *found = [one(tokens).logits for one in (model, loaded, over, plain)]
print(json.dumps([bool(torch.equal(wanted, one)) for one in found]))
"""
SENTENCES = """
import json, sys, numpy
from sentence_transformers import SentenceTransformer, models
folder, name = sys.argv[1:]
word = models.Transformer(folder)
word.tokenizer.pad_token = word.tokenizer.pad_token or word.tokenizer.eos_token
model = SentenceTransformer(modules=[word, models.Pooling(word.get_word_embedding_dimension())],
                            device="cpu")
wanted = model.encode(["To be", "or not"])
model.push_to_hub(name)
again = SentenceTransformer(name, device="cpu")
found = again.encode(["To be", "or not"])
print(json.dumps([bool(numpy.allclose(wanted, found, atol=1e-6)), list(found.shape)]))
"""


def test_transformers_pushes_and_loads(lib, python, tiny):
    name = lib.new_name("causal")
    assert python(TRANSFORMERS, tiny, name) == [True, True, False, True]
    info = lib.api.model_info(name, files_metadata=True)
    files = {one.rfilename: one for one in info.siblings or []}
    assert info.private and files["model.safetensors"].lfs
    assert {"config.json", "generation_config.json", "tokenizer.json"} <= set(files)
    assert (info.library_name, info.pipeline_tag) == ("transformers", "text-generation")


def test_peft_pushes_an_adapter_and_loads_it_over_its_base(lib, python, tiny):
    base, name = lib.new_name("base"), lib.new_name("adapter")
    assert python(PEFT, tiny, base, name) == [True, True, False]
    files = {one.path: one for one in lib.api.list_repo_tree(name)}
    assert files["adapter_model.safetensors"].lfs and "model.safetensors" not in files
    config = lib.api.hf_hub_download(name, "adapter_config.json", local_dir=lib.home / "adapter")
    assert json.loads(Path(config).read_text())["base_model_name_or_path"] == base


def test_sentence_transformers_pushes_and_loads(lib, python, tiny):
    name = lib.new_name("sentences")
    same, shape = python(SENTENCES, tiny, name)
    assert same and shape[0] == 2
    info = lib.api.model_info(name)
    assert info.library_name == "sentence-transformers"
