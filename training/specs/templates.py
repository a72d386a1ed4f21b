"""Prompt templates are only parsed here, to refuse early; the sandboxed runner renders them."""

from typing import Any

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from hub.errors import BadInputError
from training.specs.schema import Text

MAX_LENGTH = 16 * 1024
_ENVIRONMENT = ImmutableSandboxedEnvironment()
_TEXT = Text(MAX_LENGTH, None, "a text with {{ column }} in it,")


def read_template(value: Any, name: str) -> str:
    """A Jinja template or column name, as written.

    Raises:
        BadInputError: not text, too long, or not a template.
    """
    source: str = _TEXT.read(value, name)
    try:
        _ENVIRONMENT.parse(source)
    except (TemplateError, RecursionError) as error:
        raise BadInputError(f"{name} is not a valid template: {error}.") from error
    return source


def has_placeholders(source: str) -> bool:
    """Whether a text would change when it is rendered."""
    return any(mark in source for mark in ("{{", "{%", "{#"))
