"""What a fine-tune writes into the README of the model it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hub.formats.bounded_yaml import dump_yaml, load_yaml
from hub.formats.card import split_front_matter
from hub.formats.errors import YamlError

START = "<!-- fine-tune: written by the hub, replaced by the next one -->"
END = "<!-- /fine-tune -->"
TAGS = ("lora", "peft")


@dataclass(frozen=True)
class FinetuneFacts:
    """What was trained, from what, and how it went."""

    title: str
    base_model: str
    base_commit: str
    datasets: list[str]
    data_commits: list[str]
    recipe_path: str
    run_url: str
    steps: int | None
    first_loss: float | None
    final_loss: float | None


def with_finetune(readme: bytes, facts: FinetuneFacts) -> bytes:
    """`readme` with base model, data sets and tags in its card, and a section on the training.

    Keys that are there keep their values and gain new list entries. A front matter that cannot
    be read is left alone. Text outside the section stays as it is.
    """
    text = readme.decode("utf-8", "surrogateescape")  # bytes that are no UTF-8 stay as they are
    return _with_section(_with_data(text, facts), facts).encode("utf-8", "surrogateescape")


def _with_data(text: str, facts: FinetuneFacts) -> str:
    wanted: dict[str, Any] = {
        "base_model": facts.base_model,
        "datasets": facts.datasets,
        "tags": list(TAGS),
    }
    matter = split_front_matter(text)
    if matter is None:
        return f"---\n{dump_yaml(wanted)}---\n{text}"
    try:
        data = load_yaml(matter.yaml) or {}
    except YamlError:
        return text
    if not isinstance(data, dict):
        return text
    merged = {key: _merged(data.get(key), value) for key, value in wanted.items()}
    if all(merged[key] == data[key] for key in wanted if key in data):
        new = {key: merged[key] for key in wanted if key not in data}
        block = dump_yaml(new, line_break=matter.line_break) if new else ""
        lines = matter.yaml + (matter.line_break + block.rstrip() if block else "")
    else:
        lines = dump_yaml(data | merged, line_break=matter.line_break).rstrip()
    return text[: matter.start] + lines + text[matter.end :]


def _merged(present: Any, wanted: Any) -> Any:
    """`present` with the entries of `wanted` that a list lacks; a single value wins as it is."""
    if present is None:
        return wanted
    if not isinstance(wanted, list):
        return present
    entries = present if isinstance(present, list) else [present]
    return [*entries, *(entry for entry in wanted if entry not in entries)]


def _with_section(text: str, facts: FinetuneFacts) -> str:
    section = f"{START}\n{_section(facts)}\n{END}"
    before, start, rest = text.partition(START)
    _old, end, after = rest.partition(END)
    if start and end:
        return before + section + after
    return f"{text.rstrip()}\n\n{section}\n"


def _section(facts: FinetuneFacts) -> str:
    rows = [
        ("Base", f"`{facts.base_model}` at `{facts.base_commit[:12]}`"),
        *(
            ("Data", f"`{name}` at `{commit[:12]}`")
            for name, commit in zip(facts.datasets, facts.data_commits, strict=True)
        ),
        ("Recipe", f"`{facts.recipe_path}`"),
        ("Steps", facts.steps),
        ("Training loss", _losses(facts)),
        ("Run", facts.run_url),
    ]
    lines = [f"| {name} | {value} |" for name, value in rows if value is not None]
    title = " ".join(facts.title.replace("<", "").split())
    return "\n".join([f"## Fine-tune: {title}", "", "| | |", "| --- | --- |", *lines])


def _losses(facts: FinetuneFacts) -> str | None:
    if facts.first_loss is None or facts.final_loss is None:
        return None
    return f"{facts.first_loss:.4g} at the start, {facts.final_loss:.4g} at the end"
