"""Prompt templates from users: Jinja in a sandbox, with bounded operations and output."""

from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError

from training.runner.errors import RunnerError

SOURCE_LIMIT = 16 * 1024
OUTPUT_LIMIT = 256 * 1024
REPEAT_LIMIT = 10_000


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Jinja that reaches no attribute of Python's and refuses to build huge values.

    What still runs away meets the limits on time and memory of the process.
    """

    intercepted_binops = frozenset(["*", "**", "%"])

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        plain = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "**" or (operator == "%" and not plain):
            raise SecurityError(f"the operator {operator} is not allowed here")
        if operator == "*" and not plain and not _small_repeat(left, right):
            raise SecurityError(f"a repetition exceeds {REPEAT_LIMIT} characters")
        return super().call_binop(context, operator, left, right)


ENVIRONMENT = BoundedEnvironment(
    undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
)
for _name in ("center", "indent", "format", "pprint", "wordwrap", "random", "xmlattr"):
    ENVIRONMENT.filters.pop(_name, None)
for _name in ("range", "lipsum", "cycler", "joiner", "namespace"):
    ENVIRONMENT.globals.pop(_name, None)


class Template:
    """One field of a recipe or benchmark: a column's name, or text with {{ column }} in it."""

    def __init__(self, source: str, *, field: str, error: type[RunnerError]) -> None:
        self.source, self.field, self.error = source, field, error
        if len(source) > SOURCE_LIMIT:
            raise error(f"{field} exceeds {SOURCE_LIMIT} characters; shorten it.")
        try:
            self.columns = meta.find_undeclared_variables(ENVIRONMENT.parse(source))
            self._compiled = ENVIRONMENT.from_string(source)
        except (TemplateError, RecursionError) as fault:
            raise error(f"{field} is no valid template ({fault}); correct it.") from fault

    def render(self, row: Mapping[str, Any]) -> str:
        """The text for `row`; the column itself when the template is a column's name."""
        if self.source in row:
            return str(row[self.source])
        try:
            parts, size = [], 0
            for part in self._compiled.generate(row):
                parts.append(part)
                size += len(part)
                if size > OUTPUT_LIMIT:
                    raise SecurityError(f"its text exceeds {OUTPUT_LIMIT} characters")
        except (TemplateError, TypeError, ValueError, ArithmeticError, RecursionError) as fault:
            columns = ", ".join(list(map(str, row))[:20])
            raise self.error(
                f"{self.field} cannot be filled in ({fault}); the columns are {columns}."
            ) from fault
        return "".join(parts)

    def value(self, row: Mapping[str, Any]) -> Any:
        """The column itself, of whatever type, when the template is its name; else the text."""
        return row[self.source] if self.source in row else self.render(row)

    def missing_from(self, columns: Any) -> list[str]:
        """Names the template uses that are not among `columns`."""
        return sorted(self.columns - set(columns))


def _small_repeat(left: Any, right: Any) -> bool:
    value, times = (right, left) if isinstance(left, int) else (left, right)
    return hasattr(value, "__len__") and len(value) * max(int(times), 0) <= REPEAT_LIMIT
