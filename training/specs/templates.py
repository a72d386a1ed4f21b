"""Prompt templates are only parsed here, to refuse early; the sandboxed runner renders them."""

from typing import Any

from jinja2 import TemplateError, nodes

from hub.errors import BadInputError
from training.runner.templates import ENVIRONMENT
from training.specs.schema import Text

MAX_LENGTH = 16 * 1024
_BRINGING_IN = (nodes.Import, nodes.FromImport, nodes.Include, nodes.Extends)
_TEXT = Text(MAX_LENGTH, None, "a text with {{ column }} in it,")


def read_template(value: Any, name: str) -> str:
    """A Jinja template or column name, as written.

    Raises:
        BadInputError: not text, too long, not a template, or one with a filter that the runner
            does not have.
    """
    source: str = _TEXT.read(value, name)
    try:
        # Parsed and no more: compiling would already compute what is constant in it.
        tree = ENVIRONMENT.parse(source)
        named = list(tree.find_all((nodes.Filter, nodes.Test)))
        brought = list(tree.find_all(_BRINGING_IN))
    except (TemplateError, RecursionError) as error:
        raise BadInputError(f"{name} is not a valid template: {error}.") from error
    if brought:
        raise BadInputError(f"{name}, line {brought[0].lineno}: no template brings in another one.")
    for node in named:
        kind, known = (
            ("filter", ENVIRONMENT.filters)
            if isinstance(node, nodes.Filter)
            else ("test", ENVIRONMENT.tests)
        )
        if node.name not in known:
            raise BadInputError(
                f"{name} uses the {kind} {node.name[:40]!r}, which templates here do not have; "
                f"they have {', '.join(sorted(known))}."
            )
    return source


def has_placeholders(source: str) -> bool:
    """Whether a text would change when it is rendered."""
    return any(mark in source for mark in ("{{", "{%", "{#"))
