"""README cards: front matter and human text, what they mean for search, and what is wrong."""

import re
from dataclasses import dataclass, field
from typing import Any

from hub.formats.bounded_yaml import load_yaml
from hub.formats.errors import YamlError
from hub.formats.licences import LICENCES

# The pattern of huggingface_hub (repocard.REGEX_YAML_BLOCK), after an optional byte order mark.
_FRONT_MATTER = re.compile(
    r"\ufeff?(\s*---(?:\r\n|\r|\n))([\S\s]*?)((?:\r\n|\r|\n)---[ \t]*(?:\r\n|\n|$))"
)
_REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?\Z", re.ASCII)
_RELATIONS = frozenset(("adapter", "finetune", "merge", "quantized"))
_PLAIN_TAGS = {
    "model": ("language", "library_name", "pipeline_tag", "tags"),
    "dataset": ("tags",),
    "space": ("sdk", "tags"),
    "kernel": ("tags",),
}
_PREFIXED_TAGS = {
    "model": (("license", "license"), ("datasets", "dataset"), ("base_model", "base_model")),
    "dataset": tuple(
        (key, key)
        for key in (
            "license", "language", "task_categories", "task_ids", "size_categories",
            "multilinguality", "source_datasets", "annotations_creators", "language_creators",
        )
    ),
    "space": (("license", "license"),),
    "kernel": (("license", "license"),),
}  # fmt: skip
_TEXT_KEYS = ("pipeline_tag", "library_name", "pretty_name", "license_name", "license_link")
_LIST_KEYS = (
    "tags", "language", "datasets", "base_model", "metrics", "task_categories", "task_ids",
    "size_categories",
)  # fmt: skip
_MAX_TAGS, _MAX_TAG_LENGTH = 200, 128
_BIBTEX = re.compile(r"^```bibtex[ \t]*\n(@[^`]{1,4000})```", re.MULTILINE)
_CITATION_SEARCHED = 256 * 1024


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """Where the YAML of a README lies: `text[start:end]`."""

    yaml: str
    start: int
    end: int
    body_start: int
    line_break: str


@dataclass(frozen=True, slots=True)
class Card:
    """A README as the hub shows it. `broken` says why the front matter could not be read."""

    data: dict[str, Any]
    body: str
    broken: str | None = None
    has_front_matter: bool = True
    tags: tuple[str, ...] = field(default=())


def split_front_matter(text: str) -> FrontMatter | None:
    """Where the front matter of `text` lies, or None when it has none."""
    found = _FRONT_MATTER.match(text)
    if found is None:
        return None
    opening = found.group(1)
    line_break = "\r\n" if opening.endswith("\r\n") else opening[-1]
    return FrontMatter(found.group(2), found.start(2), found.end(2), found.end(), line_break)


def parse_card(content: bytes | str, kind: str) -> Card:
    """The card of a README; never raises. A broken front matter leaves `data` empty.

    `kind` is that of the repository. `data` holds plain values as `load_yaml` reads them, ready for
    JSON. `body` is the human text, with undecodable bytes replaced.
    """
    text, broken = _decode(content)
    matter = split_front_matter(text)
    if matter is None:
        return Card({}, text.removeprefix("\ufeff"), broken, has_front_matter=False)
    body = text[matter.body_start :]
    if broken:
        return Card({}, body, broken)
    try:
        data = load_yaml(matter.yaml)
    except YamlError as error:
        return Card({}, body, str(error))
    if data is None:
        return Card({}, body)
    if not isinstance(data, dict):
        return Card({}, body, "The front matter is not a map of keys to values.")
    return Card(data, body, tags=card_tags(data, kind))


def citation(body: str) -> str:
    """The BibTeX that a card asks to be cited by; empty when it names none."""
    found = _BIBTEX.search(body[:_CITATION_SEARCHED])
    return found[1].strip() if found else ""


def card_tags(data: dict[str, Any], kind: str) -> tuple[str, ...]:
    """The tags that search filters by, in card order, without repeats.

    Models: language codes, library, task and free tags as they are, `license:`, `dataset:` and
    `base_model:` with their prefix. Data sets: every key but `tags` with its prefix. Others: the
    SDK and free tags as they are, `license:` with its prefix.
    """
    tags: list[str] = []
    for key in _PLAIN_TAGS[kind]:
        tags += _texts(data.get(key))
    for key, prefix in _PREFIXED_TAGS[kind]:
        tags += [f"{prefix}:{value}" for value in _texts(data.get(key))]
    relation = data.get("base_model_relation")
    if kind == "model" and isinstance(relation, str) and relation in _RELATIONS:
        tags += [f"base_model:{relation}:{value}" for value in _texts(data.get("base_model"))]
    fitting = [tag for tag in dict.fromkeys(tags) if 0 < len(tag) <= _MAX_TAG_LENGTH]
    return tuple(fitting[:_MAX_TAGS])


def validate_card(content: bytes | str, kind: str) -> tuple[list[str], list[str]]:
    """What is wrong with a README before it is committed: (errors, warnings), each a sentence."""
    card = parse_card(content, kind)
    if card.broken:
        return [card.broken], []
    if not card.has_front_matter or not card.data:
        return [], ["empty or missing yaml metadata in repo card"]
    errors = [*_licence_errors(card.data), *_shape_errors(card.data)]
    if kind == "model" and "model-index" in card.data:
        errors += model_index_errors(card.data["model-index"])
    return errors, _warnings(card.data)


def model_index_errors(value: Any) -> list[str]:
    """Why clients could not read this `model-index`; empty when they can."""
    if not isinstance(value, list) or not value:
        return ['"model-index" must be a list of models with their results']
    errors = []
    for number, model in enumerate(value):
        place = f'"model-index[{number}]'
        if not isinstance(model, dict) or not isinstance(model.get("name"), str):
            errors.append(f'{place}.name" is required')
        elif not isinstance(model.get("results"), list):
            errors.append(f'{place}.results" must be a list')
        else:
            errors += _result_errors(model["results"], f"{place}.results")
    return errors


def _result_errors(results: list[Any], place: str) -> list[str]:
    errors = []
    for number, result in enumerate(results):
        result = result if isinstance(result, dict) else {}
        for path in ("task.type", "dataset.type", "dataset.name"):
            group, key = path.split(".")
            part = result.get(group)
            if not isinstance(part, dict) or part.get(key) is None:
                errors.append(f'{place}[{number}].{path}" is required')
        metrics = result.get("metrics")
        if not isinstance(metrics, list) or not all(_is_metric(each) for each in metrics):
            errors.append(f'{place}[{number}].metrics" must be a list of types and values')
    return errors


def _is_metric(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") is not None and "value" in value


def _licence_errors(data: dict[str, Any]) -> list[str]:
    if "license" not in data:
        return []
    value = data["license"]
    named = value if isinstance(value, list) else [value]
    if named and all(isinstance(each, str) and each in LICENCES for each in named):
        return []
    return [f'"license" must be one of [{", ".join(sorted(LICENCES))}]']


def _shape_errors(data: dict[str, Any]) -> list[str]:
    errors = [
        f'"{key}" must be a string'
        for key in _TEXT_KEYS
        if key in data and data[key] is not None and not isinstance(data[key], str)
    ]
    errors += [
        f'"{key}" must be a string or a list of strings'
        for key in _LIST_KEYS
        if key in data and not _is_texts(data[key])
    ]
    for key in ("datasets", "base_model"):
        wrong = [each for each in _texts(data.get(key)) if not _REPO_ID.match(each)]
        errors += [f'"{key}" names {each[:80]!r}, which is not a repository id' for each in wrong]
    return errors


def _warnings(data: dict[str, Any]) -> list[str]:
    if "license" in data:
        return []
    return ['no "license" is named: others cannot tell what they may do with this']


def _is_texts(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(each, str) for each in value)
    return value is None or isinstance(value, str)


def _texts(value: Any) -> list[str]:
    """The texts in a value that may be one text, a list, or anything else."""
    values = value if isinstance(value, list) else [value]
    return [each.strip() for each in values if isinstance(each, str)]


def _decode(content: bytes | str) -> tuple[str, str | None]:
    if isinstance(content, str):
        return content, None
    try:
        return content.decode(), None
    except UnicodeDecodeError:
        return content.decode(errors="replace"), "The README is not valid UTF-8; save it as UTF-8."
