"""`.eval_results/<benchmark>.yaml`: scores in the format that huggingface_hub reads and writes."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hub.formats.bounded_yaml import dump_yaml, load_yaml
from hub.formats.errors import YamlError

FOLDER = ".eval_results"
# One entry as it stands in a file, keys that we do not know included, to what stands in its place,
# None where nothing does.
Revise = Callable[[dict[str, Any]], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class EvalResultEntry:
    """One score on one benchmark; the field names are those of huggingface_hub."""

    dataset_id: str
    task_id: str
    value: Any
    dataset_revision: str | None = None
    date: str | None = None
    source_url: str | None = None
    source_name: str | None = None
    notes: str | None = None


def eval_results_path(benchmark: str) -> str:
    """Where the scores of `benchmark`, such as `demo/blimp:benchmark.yaml`, lie in a model."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", benchmark.removesuffix(".yaml")).strip("-.")
    return f"{FOLDER}/{name or 'benchmark'}.yaml"


def dump_eval_results(entries: Sequence[EvalResultEntry]) -> bytes:
    """The file's content."""
    return dump_yaml([to_dict(entry) for entry in entries]).encode()


def with_eval_results(
    content: bytes | None,
    entries: Sequence[EvalResultEntry],
    *,
    revise: Revise = lambda entry: entry,
) -> bytes | None:
    """The file `content` (None: no file yet) with `entries`, or None where nothing changes.

    Entries of the same task of the same data set are replaced; all others become what `revise`
    makes of them. A file that cannot be read is replaced if there are entries, else left alone.
    """
    new = [to_dict(entry) for entry in entries]
    present = _readable(content)
    if present is None:
        return dump_eval_results(entries) if entries else None
    measured = {identity(entry) for entry in new}
    kept = [revise(entry) for entry in present if identity(entry) not in measured]
    found = new + [entry for entry in kept if entry is not None]
    return None if found == present else dump_yaml(found).encode()


def entries_of(content: bytes | None) -> list[dict[str, Any]]:
    """The entries of a file as they stand there; none where it cannot be read."""
    return _readable(content) or []


def identity(entry: dict[str, Any]) -> tuple[str, str]:
    """What an entry is a score of."""
    return entry["dataset"]["id"], entry["dataset"]["task_id"]


def _readable(content: bytes | None) -> list[dict[str, Any]] | None:
    if content is None:
        return None
    try:
        load_eval_results(content)
        found: list[dict[str, Any]] = load_yaml(content)
    except YamlError:
        return None
    return found


def load_eval_results(content: bytes) -> list[EvalResultEntry]:
    """The scores in such a file, ours or another tool's; keys we do not know are left out.

    Raises:
        YamlError: not YAML, or without `dataset.id`, `dataset.task_id` or `value`.
    """
    data = load_yaml(content)
    if not isinstance(data, list):
        raise YamlError("An evaluation results file is a list of entries.")
    return [_from_dict(entry) for entry in data]


def to_dict(entry: EvalResultEntry) -> dict[str, Any]:
    """The entry as files and clients spell it."""
    dataset = {"id": entry.dataset_id, "task_id": entry.task_id, "revision": entry.dataset_revision}
    source = {"url": entry.source_url, "name": entry.source_name}
    written = {
        "dataset": _present(dataset),
        "value": entry.value,
        "date": entry.date,
        "source": _present(source) or None,
        "notes": entry.notes,
    }
    return _present(written)


def _from_dict(data: Any) -> EvalResultEntry:
    dataset = data.get("dataset") if isinstance(data, dict) else None
    if not isinstance(dataset, dict) or "value" not in data:
        raise YamlError("An evaluation results entry needs a `dataset` and a `value`.")
    source = data.get("source")
    source = source if isinstance(source, dict) else {}
    texts = (dataset.get("id"), dataset.get("task_id"))
    if not all(isinstance(text, str) for text in texts):
        raise YamlError("An evaluation results entry needs `dataset.id` and `dataset.task_id`.")
    return EvalResultEntry(
        dataset_id=dataset["id"],
        task_id=dataset["task_id"],
        value=data["value"],
        dataset_revision=_text(dataset.get("revision")),
        date=_text(data.get("date")),
        source_url=_text(source.get("url")),
        source_name=_text(source.get("name")),
        notes=_text(data.get("notes")),
    )


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def _present(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
