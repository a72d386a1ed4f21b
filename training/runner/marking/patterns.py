"""Regular expressions from users, with a bound on what they read and for how long."""

from collections.abc import Callable
from typing import Any, TypeVar

import regex

from training.runner.errors import BadBenchmarkError

PATTERN_LIMIT = 500
SUBJECT_LIMIT = 20_000
SECONDS = 1.0
Found = TypeVar("Found")


class Pattern:
    """One expression of a benchmark.

    Raises: BadBenchmarkError when it is too long, is none, or takes too long over a text.
    """

    def __init__(self, source: str, *, place: str) -> None:
        self.source, self.place = source, place
        if len(source) > PATTERN_LIMIT:
            raise BadBenchmarkError(f"{place} exceeds {PATTERN_LIMIT} characters; shorten it.")
        try:
            self.compiled: Any = regex.compile(source)
        except (regex.error, OverflowError, RecursionError) as error:
            raise BadBenchmarkError(
                f"{place} is no regular expression ({error}); correct it."
            ) from error

    def find_all(self, text: str) -> list[Any]:
        """As re.findall: texts, or tuples of texts where the expression has several groups."""
        return self._timed(
            lambda: self.compiled.findall(text[:SUBJECT_LIMIT], timeout=SECONDS, concurrent=False)
        )

    def replace(self, by: str, text: str, count: int = 0) -> str:
        """As re.sub."""
        return self._timed(
            lambda: self.compiled.sub(
                by, text[:SUBJECT_LIMIT], count=count, timeout=SECONDS, concurrent=False
            )
        )

    def _timed(self, call: Callable[[], Found]) -> Found:
        try:
            return call()
        except TimeoutError as error:
            raise BadBenchmarkError(
                f"{self.place} takes longer than {SECONDS:g} s over one text; make it simpler."
            ) from error
        except (regex.error, IndexError) as error:
            raise BadBenchmarkError(f"{self.place} cannot be applied ({error}).") from error
