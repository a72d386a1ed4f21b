"""Writing measured scores into a README: the `model-index` block alone, all else byte for byte."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from hub.formats.bounded_yaml import dump_yaml, end_of, events_of, load_yaml, start_of
from hub.formats.card import FrontMatter, model_index_errors, split_front_matter
from hub.formats.errors import CardError, YamlError

_KEY = "model-index"
# One entry of `results` as it stands in a card, to the entries that stand in its place.
Revise = Callable[[dict[str, Any]], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class ModelIndexResult:
    """One measured score; the field names are those of huggingface_hub's EvalResult."""

    task_type: str
    dataset_type: str
    dataset_name: str
    metric_type: str
    metric_value: Any
    task_name: str | None = None
    dataset_config: str | None = None
    dataset_split: str | None = None
    dataset_revision: str | None = None
    metric_name: str | None = None
    metric_args: dict[str, Any] | None = None
    source_name: str | None = None
    source_url: str | None = None


def with_model_index(
    readme: bytes,
    results: Sequence[ModelIndexResult],
    *,
    model_name: str,
    revise: Revise = lambda entry: [entry],
) -> bytes:
    """`readme` with `results` in the `model-index` of its front matter.

    Entries that measure the same task, data set and metric are replaced; all others become what
    `revise` makes of them, which is themselves by default. The block, or the whole front matter,
    is added where it is missing. Human text, other keys, comments, line ends and a byte order mark
    stay byte for byte, and the whole README does where no score changes.

    Raises:
        CardError: the README is not UTF-8, its front matter is broken or not in block style, or
            holds a `model-index` that clients cannot read. Nothing could be kept safely.
    """
    try:
        text = readme.decode()
    except UnicodeDecodeError as error:
        raise CardError("The README is not valid UTF-8; save it as UTF-8.") from error
    matter = split_front_matter(text)
    if matter is None:
        added = _with_new_front_matter(text, results, model_name) if results else text
        return added.encode()
    before = _mapping(matter.yaml)
    if not before.get(_KEY) and not results:
        return readme
    index = _merged(before.get(_KEY), results, model_name, revise)
    if index == before.get(_KEY):
        return readme
    changed = _spliced(matter, index)
    _require_only_index_changed(changed, before, index)
    return (text[: matter.start] + changed + text[matter.end :]).encode()


def read_model_index(index: Any) -> list[ModelIndexResult]:
    """Every score in a `model-index`, one a metric; none where clients could not read it."""
    if not index or model_index_errors(index):
        return []
    return [found for model in index for entry in model["results"] for found in _scores(entry)]


def identities(entry: dict[str, Any]) -> set[tuple[str, ...]]:
    """What the scores of one entry of `results` are scores of."""
    return {_identity(entry, metric) for metric in entry["metrics"]}


def _scores(entry: dict[str, Any]) -> Iterator[ModelIndexResult]:
    dataset, source = entry["dataset"], entry.get("source")
    source = source if isinstance(source, dict) else {}
    for metric in entry["metrics"]:
        args = metric.get("args")
        yield ModelIndexResult(
            task_type=str(entry["task"]["type"]),
            task_name=_text(entry["task"].get("name")),
            dataset_type=str(dataset["type"]),
            dataset_name=str(dataset["name"]),
            dataset_config=_text(dataset.get("config")),
            dataset_split=_text(dataset.get("split")),
            dataset_revision=_text(dataset.get("revision")),
            metric_type=str(metric["type"]),
            metric_value=metric["value"],
            metric_name=_text(metric.get("name")),
            metric_args=args if isinstance(args, dict) else None,
            source_name=_text(source.get("name")),
            source_url=_text(source.get("url")),
        )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _with_new_front_matter(text: str, results: Sequence[ModelIndexResult], model_name: str) -> str:
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    line_break = "\r\n" if "\r\n" in text else "\n"
    index = [{"name": model_name, "results": _entries(results)}]
    block = dump_yaml({_KEY: index}, line_break=line_break)
    return f"{mark}---{line_break}{block}---{line_break}{text.removeprefix(mark)}"


def _mapping(text: str) -> dict[str, Any]:
    try:
        data = load_yaml(text)
    except YamlError as error:
        raise CardError(f"The front matter is broken, so no score was written. {error}") from error
    if not isinstance(data, dict | None):
        raise CardError("The front matter is not a map of keys to values.")
    return data or {}


def _merged(
    present: Any, results: Sequence[ModelIndexResult], model_name: str, revise: Revise
) -> list[dict[str, Any]]:
    """The model index with `results` in the place of entries that measure the same."""
    new = _entries(results)
    if not present:
        return [{"name": model_name, "results": new}]
    errors = model_index_errors(present)
    if errors:
        raise CardError(f"The model-index of the README cannot be read: {errors[0]}.")
    measured = {identity for entry in new for identity in identities(entry)}
    first, *others = present
    kept = [_without(entry, measured) for entry in first["results"]]
    kept = [found for entry in kept if entry["metrics"] for found in revise(entry)]
    return [
        {**first, "results": kept + new},
        *(
            {**model, "results": [found for entry in model["results"] for found in revise(entry)]}
            for model in others
        ),
    ]


def _entries(results: Sequence[ModelIndexResult]) -> list[dict[str, Any]]:
    """One entry for all that one benchmark and source say, as huggingface_hub writes them."""
    entries: list[dict[str, Any]] = []
    for result in results:
        entry, metric = _entry(result), _metric(result)
        same = (each for each in entries if {**each, "metrics": []} == {**entry, "metrics": []})
        found = next(same, None)
        if found is None:
            entries.append({**entry, "metrics": [metric]})
        else:
            found["metrics"].append(metric)
    return entries


def _entry(result: ModelIndexResult) -> dict[str, Any]:
    entry = {
        "task": _present({"type": result.task_type, "name": result.task_name}),
        "dataset": _present(
            {
                "name": result.dataset_name,
                "type": result.dataset_type,
                "config": result.dataset_config,
                "split": result.dataset_split,
                "revision": result.dataset_revision,
            }
        ),
        "metrics": [],
    }
    source = _present({"name": result.source_name, "url": result.source_url})
    return entry | ({"source": source} if source else {})


def _metric(result: ModelIndexResult) -> dict[str, Any]:
    return _present(
        {
            "type": result.metric_type,
            "value": result.metric_value,
            "name": result.metric_name,
            "args": result.metric_args,
        }
    )


def _present(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _identity(entry: dict[str, Any], metric: dict[str, Any]) -> tuple[str, ...]:
    """What a score is a score of; the data set's revision is left out, so newer replaces older."""
    dataset = entry["dataset"]
    parts = tuple(dataset.get(key) for key in ("type", "name", "config", "split"))
    return tuple(map(repr, (entry["task"]["type"], *parts, metric["type"], metric.get("name"))))


def _without(entry: dict[str, Any], measured: set[tuple[str, ...]]) -> dict[str, Any]:
    metrics = [each for each in entry["metrics"] if _identity(entry, each) not in measured]
    return {**entry, "metrics": metrics}


def _spliced(matter: FrontMatter, index: list[dict[str, Any]]) -> str:
    """The YAML of the front matter with the block in its old place, or at its end."""
    text = matter.yaml
    column, start, end = _block_span(text)
    block = dump_yaml({_KEY: index}, line_break=matter.line_break)
    lines = block.removesuffix(matter.line_break).split(matter.line_break)
    block = matter.line_break.join(" " * column + line for line in lines)
    if start is not None:
        return text[:start] + block + text[end:]
    return f"{text}{matter.line_break}{block}" if text.strip() else text + block


def _block_span(text: str) -> tuple[int, int | None, int]:
    """The column of the top-level keys, and where the block's lines start and end, if any."""
    column, depth, key, end = 0, 0, None, 0
    is_key, inside = True, False
    for event in events_of(text):
        if isinstance(event, yaml.MappingStartEvent) and depth == 0:
            column = start_of(event).column
            _require_block_style(text, start_of(event).index)
        elif depth == 1 and isinstance(event, yaml.NodeEvent):
            if is_key:
                inside = isinstance(event, yaml.ScalarEvent) and event.value == _KEY
                key = start_of(event) if inside else key
            is_key = not is_key
        if inside and _ends_content(event):
            end = end_of(event).index
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
    if key is None:
        return column, None, 0
    return column, _line_start(text, key.index), _line_end(text, end)


def _ends_content(event: yaml.Event) -> bool:
    """A scalar, or the closing bracket of a flow collection (a block's end has no width)."""
    width = end_of(event).index - start_of(event).index
    return isinstance(event, yaml.ScalarEvent | yaml.CollectionEndEvent) and width > 0


def _require_block_style(text: str, start: int) -> None:
    if text.startswith(("{", "?"), start):
        raise CardError("The front matter is not in block style; write one `key: value` a line.")


def _line_start(text: str, position: int) -> int:
    start = max(text.rfind("\n", 0, position), text.rfind("\r", 0, position)) + 1
    if text[start:position].strip(" \"'"):
        raise CardError("The key model-index does not begin its line; write `model-index:`.")
    return start


def _line_end(text: str, position: int) -> int:
    """The end of the last line with content, which for a block scalar is the line before."""
    while text[position - 1] in "\r\n":
        position -= 1
    ends = [at for at in (text.find("\n", position), text.find("\r", position)) if at >= 0]
    return min(ends, default=len(text))


def _require_only_index_changed(
    changed: str, before: dict[str, Any], index: list[dict[str, Any]]
) -> None:
    """A second look at what was written: the parser must see the new block and nothing else new."""
    if _mapping(changed) != {**before, _KEY: index}:
        raise CardError("The model-index could not be written without touching other keys.")
