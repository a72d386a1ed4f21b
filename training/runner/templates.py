"""Prompt templates from users: Jinja in a sandbox, with bounded operations and output."""

from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from types import BuiltinMethodType
from typing import Any

from jinja2 import StrictUndefined, TemplateError, meta, nodes, pass_context
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError

from training.runner.errors import RunnerError
from training.runner.marking.patterns import Pattern

SOURCE_LIMIT = 16 * 1024
OUTPUT_LIMIT = 256 * 1024
REPEAT_LIMIT = 10_000
STEP_LIMIT = 20_000
# What a template's own expressions may raise.
FAULTS = (RunnerError, TypeError, ValueError, LookupError, ArithmeticError, RecursionError)
# Methods of texts that make long ones out of a number.
PADDING = frozenset(["center", "ljust", "rjust", "zfill", "expandtabs", "format", "format_map"])


COUNTED = "counted rounds"  # no name that a template could write
_steps_left: ContextVar[list[int]] = ContextVar("steps_left")


def _count_step() -> None:
    left = _steps_left.get()
    left[0] -= 1
    if left[0] < 0:
        raise SecurityError(f"it takes more than {STEP_LIMIT} rounds of loops and calls")


def _counted(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        _count_step()
        yield value


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Jinja that reaches no attribute of Python's and refuses to build huge values.

    What still runs away meets the limits on time and memory of the process.
    """

    intercepted_binops = frozenset(["*", "**", "%"])

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Loops count their rounds: nested ones say nothing for hours, and nothing stops them."""
        tree = super()._parse(source, name, filename)
        for loop in tree.find_all(nodes.For):
            loop.iter = nodes.Filter(loop.iter, COUNTED, [], [], None, None, lineno=loop.lineno)
        return tree

    def call(self, context: Any, obj: Any, *args: Any, **more: Any) -> Any:
        _count_step()  # a macro may call itself twice
        return super().call(context, obj, *args, **more)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        plain = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "**" or (operator == "%" and not plain):
            raise SecurityError(f"the operator {operator} is not allowed here")
        if operator == "*" and not plain and not _small_repeat(left, right):
            raise SecurityError(f"a repetition exceeds {REPEAT_LIMIT} characters")
        return super().call_binop(context, operator, left, right)

    def is_safe_callable(self, obj: Any) -> bool:
        pads = isinstance(obj, BuiltinMethodType) and obj.__name__ in PADDING
        return not pads and super().is_safe_callable(obj)


@pass_context
def _as_it_is(_context: Any, value: Any) -> Any:
    """What is printed, untouched. That it asks for a context keeps Jinja from printing a constant
    expression, and so from computing it, before there is one: while the template is compiled."""
    return value


# Templates are compiled where nothing stops them, in web processes: only rendering computes.
ENVIRONMENT = BoundedEnvironment(
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,
    optimized=False,
    finalize=_as_it_is,
)
for _name in ("center", "indent", "format", "pprint", "wordwrap", "random", "xmlattr"):
    ENVIRONMENT.filters.pop(_name, None)
for _name in ("lipsum", "cycler", "joiner"):
    ENVIRONMENT.globals.pop(_name, None)


def _range(*bounds: int) -> range:
    """range(), as long as texts may be repeated."""
    found = range(*bounds)
    if len(found) > REPEAT_LIMIT:
        raise SecurityError(f"a range exceeds {REPEAT_LIMIT} numbers")
    return found


@lru_cache(maxsize=256)
def _pattern(source: str) -> Pattern:
    return Pattern(source, place="The pattern of regex_replace")


def _regex_replace(text: str, pattern: str, repl: str, count: int = 0) -> str:
    """re.sub, as lm-evaluation-harness offers it to templates."""
    return _pattern(pattern).replace(repl, str(text), count)


ENVIRONMENT.globals["range"] = _range
ENVIRONMENT.filters["regex_replace"] = _regex_replace
ENVIRONMENT.filters[COUNTED] = _counted


class Template:
    """One field of a recipe or benchmark: a column's name, or text with {{ column }} in it."""

    def __init__(self, source: str, *, field: str, error: type[RunnerError]) -> None:
        self.source, self.field, self.error = source, field, error
        if len(source) > SOURCE_LIMIT:
            raise error(f"{field} exceeds {SOURCE_LIMIT} characters; shorten it.")
        try:
            self.columns = _names_in(ENVIRONMENT.parse(source))
            self._compiled = ENVIRONMENT.from_string(source)
        except (TemplateError, RecursionError) as fault:
            raise error(f"{field} is no valid template ({fault}); correct it.") from fault

    def render(self, row: Mapping[str, Any]) -> str:
        """The text for `row`; the column itself when the template is a column's name."""
        if self.source in row:
            return str(row[self.source])
        _steps_left.set([STEP_LIMIT])
        try:
            parts, size = [], 0
            for part in self._compiled.generate(row):
                parts.append(part)
                size += len(part)
                if size > OUTPUT_LIMIT:
                    raise SecurityError(f"its text exceeds {OUTPUT_LIMIT} characters")
        except (TemplateError, *FAULTS) as fault:
            columns = ", ".join(list(map(str, row))[:20])
            raise self.error(
                f"{self.field} cannot be filled in ({fault}); the columns are {columns}."
            ) from fault
        return "".join(parts)

    def value(self, row: Mapping[str, Any]) -> Any:
        """The column itself, of whatever type, when the template is its name; else the text."""
        return row[self.source] if self.source in row else self.render(row)

    @property
    def opening(self) -> str:
        """The text that every row's begins with, whatever its columns."""
        body = ENVIRONMENT.parse(self.source).body
        first = body[0] if body else None
        if isinstance(first, nodes.Output) and isinstance(first.nodes[0], nodes.TemplateData):
            return str(first.nodes[0].data)
        return ""

    def missing_from(self, columns: Any) -> list[str]:
        """Names the template uses that are not among `columns`."""
        return sorted(self.columns - set(columns))


def _names_in(tree: nodes.Template) -> set[str]:
    """`meta.find_undeclared_variables`, which by itself would compute what is constant."""
    reader = meta.TrackingCodeGenerator(ENVIRONMENT)
    reader.optimizer = None
    reader.visit(tree)
    return reader.undeclared_identifiers


def _small_repeat(left: Any, right: Any) -> bool:
    value, times = (right, left) if isinstance(left, int) else (left, right)
    return hasattr(value, "__len__") and len(value) * max(int(times), 0) <= REPEAT_LIMIT
