"""Whether an imported task can be asked: its templates and the rows that it names, looked at."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from jinja2 import TemplateError, nodes

from hub.errors import EntryNotFoundError, HubError
from hub.models import Kind, RepoId
from hub.policies import Actor, get_repository, require_files
from training.runner.errors import BadBenchmarkError
from training.runner.templates import ENVIRONMENT, REPEAT_LIMIT, Template
from training.specs.benchmark import BenchmarkDefinition
from training.specs.notes import Note, gettext_noop
from training.specs.row_files import read_rows

ROWS_LOOKED_AT = 20
FIELDS = ("description", "doc_to_text", "doc_to_choice", "doc_to_target")


def faults(
    actor: Actor, definition: BenchmarkDefinition, values: dict[str, Any], *, beside: str
) -> list[Note]:
    """What would only fail when the task is asked; `values` are the file's own, and `beside` the
    data set that it is to lie in, if that is known.

    Templates are read and not run here: a web process has no limit to stop one at.
    """
    found = []
    templates = {}
    for field in FIELDS:
        source = values.get(field)
        if not isinstance(source, str) or not source:
            continue
        try:
            templates[field] = Template(source, field=field, error=BadBenchmarkError)
            found += [Note(text, {"field": field, **more}) for text, more in _forbidden(source)]
        except (BadBenchmarkError, TemplateError) as error:
            found.append(Note("%(reason)s", {"reason": str(error)}))
    columns = _columns(actor, definition, definition.repo_id or beside, found)
    for field, template in templates.items():
        missing = [] if columns is None else _missing(template, columns)
        if missing:
            text = gettext_noop("%(field)s uses %(names)s, which is no column of the rows.")
            found.append(Note(text, {"field": field, "names": ", ".join(missing)[:200]}))
    return found


def _forbidden(source: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the sandbox stops: names of Python's own, powers, and ranges without end."""
    tree = ENVIRONMENT.parse(source)
    for node in tree.find_all(nodes.Getattr):
        if node.attr.startswith("_"):
            text = gettext_noop("%(field)s reaches for %(name)s, which templates may not.")
            yield text, {"name": node.attr[:80]}
    if next(tree.find_all(nodes.Pow), None) is not None:
        yield gettext_noop("%(field)s uses the operator **, which templates may not."), {}
    for call in tree.find_all(nodes.Call):
        is_range = isinstance(call.node, nodes.Name) and call.node.name == "range"
        numbers = [arg.value for arg in call.args if isinstance(arg, nodes.Const)]
        if is_range and any(isinstance(n, int) and abs(n) > REPEAT_LIMIT for n in numbers):
            text = gettext_noop("%(field)s counts to %(number)s; at most %(limit)s is allowed.")
            yield text, {"number": max(numbers), "limit": REPEAT_LIMIT}


def _missing(template: Template, columns: set[str]) -> list[str]:
    """Columns that the template needs and no row has; one that it asks after may be missing."""
    if template.source in columns:
        return []
    tree = ENVIRONMENT.parse(template.source)
    asked = {
        test.node.name
        for test in tree.find_all(nodes.Test)
        if test.name in {"defined", "undefined"} and isinstance(test.node, nodes.Name)
    }
    return [name for name in template.missing_from(columns) if name not in asked]


def _columns(
    actor: Actor, definition: BenchmarkDefinition, dataset: str, found: list[Note]
) -> set[str] | None:
    """The columns of the first rows, where the data set is here and the reader may read it."""
    if not dataset:
        return None
    try:
        repo = RepoId.parse(Kind.DATASET, dataset)
        repository = get_repository(actor, repo)
        require_files(actor, repository)
    except HubError:
        return None
    store = repository.store()
    try:
        head = store.resolve(repository.default_branch)
        entry = store.entry(head, definition.file)
        large = entry.lfs
        stream = repository.blobs().open(large.sha256) if large else store.open_blob(entry.oid)
        with stream:
            rows = list(islice(read_rows(stream, definition.file), ROWS_LOOKED_AT))
    except EntryNotFoundError as error:
        if definition.repo_id is None:
            return None  # a benchmark may come before its rows
        found.append(Note("%(reason)s", {"reason": str(error)}))
        return None
    except HubError as error:
        text = gettext_noop("The rows cannot be read from %(file)s: %(reason)s")
        found.append(Note(text, {"file": definition.file, "reason": str(error)}))
        return None
    return {column for row in rows for column in row}
