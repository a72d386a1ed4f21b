"""What lists and search show of a repository, read from the head of its default branch."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from hub.errors import EntryNotFoundError, TooLargeError
from hub.formats.bounded_json import load_json
from hub.formats.card import Card, citation, parse_card
from hub.formats.errors import FormatError
from hub.formats.eval_results import load_eval_results, to_dict
from hub.formats.safetensors_header import SafetensorsHeader, read_header
from hub.gitstore import Entry, GitStore
from hub.jobs import lineage, search_index
from hub.models import Kind, Repository, StoredObject
from hub.rendering.summary import summary

SHARDS_LIMIT = 256
TAGS_LIMIT = 256
_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
_NAMES_OF_WEIGHTS = ("model.safetensors", "adapter_model.safetensors")
# The end of an architecture's class name says which task its head was made for.
_TASKS = {
    "ForCausalLM": "text-generation",
    "LMHeadModel": "text-generation",
    "ForConditionalGeneration": "text2text-generation",
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForMaskedLM": "fill-mask",
    "ForImageClassification": "image-classification",
}
_AUTO_MODELS = {
    "ForCausalLM": "AutoModelForCausalLM",
    "LMHeadModel": "AutoModelForCausalLM",
    "ForConditionalGeneration": "AutoModelForSeq2SeqLM",
    "ForSequenceClassification": "AutoModelForSequenceClassification",
    "ForTokenClassification": "AutoModelForTokenClassification",
    "ForQuestionAnswering": "AutoModelForQuestionAnswering",
    "ForMaskedLM": "AutoModelForMaskedLM",
    "ForImageClassification": "AutoModelForImageClassification",
    "Model": "AutoModel",
}
_PROCESSORS = {
    "processor_config.json": "AutoProcessor",
    "preprocessor_config.json": "AutoImageProcessor",
    "tokenizer.json": "AutoTokenizer",
    "tokenizer_config.json": "AutoTokenizer",
}
_EVAL_RESULTS = re.compile(r"\.eval_results/[^/]+\.ya?ml")
# Each file is read in plain Python at every push.
EVAL_FILES_LIMIT, EVAL_ENTRIES_LIMIT, EVAL_LIMIT_BYTES = 16, 256, 16 * 1024


def refresh(repository_id: int) -> None:
    """Bring the derived columns up to the head that git has now."""
    with transaction.atomic():
        rows = Repository.objects.select_for_update(no_key=True)
        repository = rows.filter(pk=repository_id).first()
        if repository is None:
            return
        head = repository.store().branch_head(repository.default_branch)
        if head is not None:
            apply(repository, derive(repository, head))


def apply(repository: Repository, columns: dict[str, Any]) -> None:
    """Write derived columns, and what follows from them, within the caller's transaction."""
    for name, value in columns.items():
        setattr(repository, name, value)
    Repository.objects.filter(pk=repository.pk).update(**columns)
    lineage.record(repository)
    search_index.record(repository)


def refresh_stale() -> int:
    """Refresh every repository whose row and git disagree, and return how many did."""
    stale = 0
    columns = ("pk", "default_branch", "head_oid", "git_bytes")
    for repository in Repository.objects.only(*columns).iterator():
        measure(repository)
        head = repository.store().branch_head(repository.default_branch)
        if head is not None and head != repository.head_oid:
            refresh(repository.pk)
            stale += 1
    return stale


def measure(repository: Repository) -> None:
    """Note what its folder takes on disk: too slow for every push, and nobody needs it sooner."""
    held = repository.store().size_bytes()
    if held != repository.git_bytes:
        Repository.objects.filter(pk=repository.pk).update(git_bytes=held)


def derive(repository: Repository, oid: str) -> dict[str, Any]:
    """The derived columns for the commit `oid`, ready for `update`. Broken files are no fault."""
    store = repository.store()
    try:
        entries = store.tree(oid, recursive=True)
    except TooLargeError:  # a pushed history may hold any number of paths
        entries = store.tree(oid)
    files = {entry.path: entry for entry in entries if entry.kind == "file"}
    card = _card(repository, store, files)
    config = _config(store, files)
    parameters = _parameters(repository, store, files)
    library = _text(card.data.get("library_name")) or _library(files, config)
    task = _text(card.data.get("pipeline_tag")) or _task(config)
    if repository.kind != Kind.MODEL:
        library = task = ""
    return {
        "head_oid": oid,
        "card_data": storable(card.data) or None,
        "card_problem": (card.broken or "")[:300],
        "summary": storable(summary(card.body)),
        "config": storable(config),
        "tags": _tags(card, library, task, files, config),
        "pipeline_tag": task,
        "library_name": library,
        "parameters": parameters,
        "facts": storable(_facts(repository, store, files, card, config)),
        "size_bytes": _size_bytes(repository, files),
        "last_modified_at": min(store.commit_info(oid).committed_at, timezone.now()),
    }


def _facts(
    repository: Repository,
    store: GitStore,
    files: dict[str, Entry],
    card: Card,
    config: dict[str, Any] | None,
) -> dict[str, Any]:
    """What the API shows beside the columns; only what is there is in it."""
    found: dict[str, Any] = {}
    if repository.kind == Kind.DATASET:
        found = {"description": summary(card.body), "citation": citation(card.body)}
    elif repository.kind == Kind.MODEL:
        found = {
            "evalResults": _eval_results(store, files),
            "transformersInfo": _transformers_info(files, config),
        }
    return {name: value for name, value in found.items() if value}


def _eval_results(store: GitStore, files: dict[str, Entry]) -> list[dict[str, Any]]:
    """The entries of `.eval_results/*.yaml`, each with the file it stands in."""
    held = [path for path in files if _EVAL_RESULTS.fullmatch(path)][:EVAL_FILES_LIMIT]
    results: list[dict[str, Any]] = []
    for path in held:
        try:
            content = _small(store, files[path], EVAL_LIMIT_BYTES) or b""
            entries = [to_dict(entry) for entry in load_eval_results(content)]
        except FormatError as error:
            results.append({"filename": path, "error": str(error)})
        else:
            results += [{"filename": path, "data": entry} for entry in entries]
    return results[:EVAL_ENTRIES_LIMIT]


def _transformers_info(
    files: dict[str, Entry], config: dict[str, Any] | None
) -> dict[str, str] | None:
    """Which of transformers' classes open the model. Clients refuse any other key."""
    for name in (config or {}).get("architectures", []):
        for ending, auto_model in _AUTO_MODELS.items():
            if name.endswith(ending):
                found = {"auto_model": auto_model, "pipeline_tag": _task(config)}
                known = (each for path, each in _PROCESSORS.items() if path in files)
                found["processor"] = next(known, "")
                return {key: value for key, value in found.items() if value}
    return None


def _size_bytes(repository: Repository, files: dict[str, Entry]) -> int:
    """The bytes of all files but those that were removed for good and only their pointer stays."""
    removed = set(repository.removed_objects.values_list("sha256", flat=True))
    return sum(
        entry.size for entry in files.values() if not (entry.lfs and entry.lfs.sha256 in removed)
    )


def _card(repository: Repository, store: GitStore, files: dict[str, Entry]) -> Card:
    content = _small(store, files.get("README.md"), settings.CARD_LIMIT_BYTES)
    return parse_card(content or b"", repository.kind)


def _small(store: GitStore, entry: Entry | None, limit_bytes: int) -> bytes | None:
    if entry is None or entry.lfs or entry.size > limit_bytes:
        return None
    with store.open_blob(entry.oid) as file:
        return file.read(limit_bytes)


def _config(store: GitStore, files: dict[str, Entry]) -> dict[str, Any] | None:
    """`architectures` and `model_type` of config.json, where they are what they should be."""
    content = _small(store, files.get("config.json"), settings.CARD_LIMIT_BYTES)
    try:
        value = load_json(content) if content else None
    except FormatError:
        return None
    if not isinstance(value, dict):
        return None
    found: dict[str, Any] = {}
    if (model_type := _text(value.get("model_type"))) != "":
        found["model_type"] = model_type
    architectures = value.get("architectures")
    if isinstance(architectures, list):
        found["architectures"] = [name for each in architectures[:8] if (name := _text(each))]
    return found or None


def _library(files: dict[str, Entry], config: dict[str, Any] | None) -> str:
    if "adapter_config.json" in files:
        return "peft"
    return "transformers" if config and "model_type" in config else ""


def _task(config: dict[str, Any] | None) -> str:
    for name in (config or {}).get("architectures", []):
        for ending, task in _TASKS.items():
            if name.endswith(ending):
                return task
    return ""


def _tags(
    card: Card,
    library: str,
    task: str,
    files: dict[str, Entry],
    config: dict[str, Any] | None,
) -> list[str]:
    formats = {"safetensors": ".safetensors", "gguf": ".gguf", "parquet": ".parquet"}
    held = [name for name, ending in formats.items() if any(p.endswith(ending) for p in files)]
    model_type = (config or {}).get("model_type", "")
    tags = [library, task, *held, model_type, *card.tags, *_lineage(card, library, held)]
    return [tag[:128] for tag in dict.fromkeys(storable(tags)) if tag][:TAGS_LIMIT]


def _lineage(card: Card, library: str, formats: list[str]) -> list[str]:
    """How a model stands to its base, as the public Hub guesses it where the card is silent."""
    bases = [tag.removeprefix("base_model:") for tag in card.tags if tag.startswith("base_model:")]
    if not bases or any(tag.count(":") > 1 for tag in card.tags if tag.startswith("base_model:")):
        return []
    relation = "finetune"
    if len(bases) > 1:
        relation = "merge"
    elif library == "peft":
        relation = "adapter"
    elif "gguf" in formats:
        relation = "quantized"
    return [f"base_model:{relation}:{base}" for base in bases]


def _parameters(
    repository: Repository, store: GitStore, files: dict[str, Entry]
) -> dict[str, Any] | None:
    """Parameters by dtype of the safetensors at the root; None when there are none to trust."""
    weights = _weights(files)
    sha256s = [entry.lfs.sha256 for entry in weights if entry.lfs]
    linked = StoredObject.objects.filter(links__repository=repository, sha256__in=sha256s)
    readable = set(linked.values_list("sha256", flat=True)) if sha256s else set()
    counts: Counter[str] = Counter()
    for entry in weights:
        if entry.lfs and entry.lfs.sha256 not in readable:
            return None
        header = _header(repository, store, entry)
        if header is None:
            return None
        counts.update(header.parameters_by_dtype)
    return {"parameters": dict(counts), "total": counts.total()} if counts else None


def _weights(files: dict[str, Entry]) -> list[Entry]:
    for name in _NAMES_OF_WEIGHTS:
        if name in files:
            return [files[name]]
    at_root = [path for path in files if path.endswith(".safetensors") and "/" not in path]
    shards = [path for path in at_root if _SHARD.fullmatch(path)]
    chosen = shards or (at_root if len(at_root) == 1 else [])
    return [files[path] for path in chosen] if len(chosen) <= SHARDS_LIMIT else []


def _header(repository: Repository, store: GitStore, entry: Entry) -> SafetensorsHeader | None:
    try:
        blob = repository.blobs().open(entry.lfs.sha256) if entry.lfs else None
        with blob or store.open_blob(entry.oid) as file:
            return read_header(cast(BinaryIO, file), file_bytes=entry.size)
    except (FormatError, EntryNotFoundError):
        return None


def _text(value: Any) -> str:
    """A short text that people wrote; anything else is none."""
    text = storable(value).strip() if isinstance(value, str) else ""
    return text if len(text) <= 64 else ""


def storable(value: Any) -> Any:
    """`value` as Postgres can keep it: no NUL and no half of a surrogate pair in any text."""
    match value:
        case str():
            return value.replace("\0", "").encode("utf-8", "replace").decode()
        case dict():
            return {storable(key): storable(inner) for key, inner in value.items()}
        case list() | tuple():
            return [storable(inner) for inner in cast(Iterable[Any], value)]
    return value
