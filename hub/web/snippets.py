"""Commands and code that fetch a repository from this server, ready to copy.

What people copy into a shell or an interpreter holds nothing that a card's author could have made
up: a task or library that is not known here is left out, and names of files are checked.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from urllib.parse import quote

from django.conf import settings
from django.utils.translation import gettext as _

from hub.models import Kind, Repository

_TASK = re.compile(r"[a-z0-9-]{1,64}")
_PLAIN_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
_CLASSES = {
    "fill-mask": "AutoModelForMaskedLM",
    "text-classification": "AutoModelForSequenceClassification",
    "token-classification": "AutoModelForTokenClassification",
    "feature-extraction": "AutoModel",
    "sentence-similarity": "AutoModel",
}
Snippet = dict[str, str]


def snippets(
    repository: Repository, *, revision: str = "", files: Iterable[str] = ()
) -> list[Snippet]:
    """One way of using it after the other; `files` are the names in its root.

    `revision` is named where it is another than the default branch.
    """
    wanted = "" if revision == repository.default_branch else revision
    names = [name for name in files if _PLAIN_FILE.fullmatch(name)]
    if repository.kind == Kind.MODEL:
        ways = _of_model(repository, wanted, names)
    else:
        ways = [("python", "Python", _python(_of_data(repository, wanted)))]
    first = next((name for name in ("config.json", "README.md") if name in names), "README.md")
    return [
        {"key": key, "label": label, "text": text}
        for key, label, text in [
            *ways,
            ("hf", "hf", _download(repository, wanted)),
            ("git", "git", _clone(repository, wanted)),
            ("curl", "curl", _curl(repository, wanted, first)),
        ]
    ]


def _of_model(
    repository: Repository, revision: str, names: list[str]
) -> list[tuple[str, str, str]]:
    ways = []
    if repository.library_name == "sentence-transformers":
        ways.append(
            ("sentences", "sentence-transformers", _python(_sentences(repository, revision)))
        )
    if "adapter_config.json" in names:
        ways.append(("peft", "peft", _python(_adapter(repository, revision, names))))
    if gguf := sorted(name for name in names if name.endswith(".gguf")):
        ways.append(("llama", "llama.cpp", _llama(repository, revision, gguf[0])))
    if "config.json" in names:
        ways.append(("python", "transformers", _python(_pipeline(repository, revision))))
    return ways


def _python(code: str) -> str:
    address, why = _text(settings.PUBLIC_URL), _("before the imports")
    return f'import os\nos.environ["HF_ENDPOINT"] = {address}  # {why}\n\n{code}'


def _text(value: str) -> str:
    """A value as Python writes it in double quotes."""
    return json.dumps(value, ensure_ascii=False)


def _named(repository: Repository, revision: str) -> str:
    more = f", revision={_text(revision)}" if revision else ""
    return _text(repository.repo_id) + more


def _pipeline(repository: Repository, revision: str) -> str:
    is_task = _TASK.fullmatch(repository.pipeline_tag)
    task = repository.pipeline_tag if is_task else "text-generation"
    return (
        "from transformers import pipeline\n\n"
        f'pipe = pipeline("{task}", {_named(repository, revision)})'
    )


def _sentences(repository: Repository, revision: str) -> str:
    return (
        "from sentence_transformers import SentenceTransformer\n\n"
        f"model = SentenceTransformer({_named(repository, revision)})\n"
        'vectors = model.encode(["one sentence", "another one"])'
    )


def _adapter(repository: Repository, revision: str, names: list[str]) -> str:
    """An adapter beside its base, or on the base that its own config names."""
    kind = _CLASSES.get(repository.pipeline_tag, "AutoModelForCausalLM")
    named = _named(repository, revision)
    if "config.json" in names:
        return (
            f"from peft import PeftModel\nfrom transformers import {kind}\n\n"
            f"base = {kind}.from_pretrained({named})\n"
            f"model = PeftModel.from_pretrained(base, {named})"
        )
    why = _("fetches its base as well")
    return (
        f"from peft import AutoPeftModel\n\nmodel = AutoPeftModel.from_pretrained({named})  # {why}"
    )


def _llama(repository: Repository, revision: str, name: str) -> str:
    return (
        f"curl -L -o {shlex.quote(name)} {shlex.quote(_address(repository, revision, name))}\n"
        f"llama-cli -m {shlex.quote(name)} -p 'Once upon a time'"
    )


def _of_data(repository: Repository, revision: str) -> str:
    named = _named(repository, revision)
    if repository.kind == Kind.DATASET:
        return f"from datasets import load_dataset\n\nrows = load_dataset({named})"
    kind = f'repo_type="{repository.kind}"'
    return (
        "from huggingface_hub import snapshot_download\n\n"
        f"folder = snapshot_download({named}, {kind})"
    )


def _download(repository: Repository, revision: str) -> str:
    kind = "" if repository.kind == Kind.MODEL else f"--repo-type {repository.kind} "
    more = f" --revision {shlex.quote(revision)}" if revision else ""
    endpoint = f"export HF_ENDPOINT={shlex.quote(settings.PUBLIC_URL)}"
    return f"{endpoint}\nhf download {kind}{repository.repo_id}{more}"


def _clone(repository: Repository, revision: str) -> str:
    clone = f"git lfs install\ngit clone {shlex.quote(repository.public_url())}"
    if not revision:
        return clone
    if revision.startswith("refs/"):
        name = shlex.quote(repository.name)
        return f"{clone}\ngit -C {name} fetch origin {shlex.quote(revision)}"
    return f"{clone}\ngit -C {shlex.quote(repository.name)} checkout {shlex.quote(revision)}"


def _curl(repository: Repository, revision: str, name: str) -> str:
    return f"curl -L -O {shlex.quote(_address(repository, revision, name))}"


def _address(repository: Repository, revision: str, name: str) -> str:
    wanted = quote(revision or repository.default_branch, safe="")
    return f"{repository.public_url()}/resolve/{wanted}/{quote(name)}"
