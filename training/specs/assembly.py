"""A benchmark put together from its files: the items, the examples before them, the word list."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import IO, Any

from training.specs.benchmark_definition import BenchmarkDefinition
from training.specs.items import Item, select_items
from training.specs.row_files import read_rows, read_words
from training.specs.shots import select_shots

Opener = Callable[[str], IO[bytes]]


@dataclass(frozen=True, slots=True)
class Assembled:
    """All that is asked of a benchmark: `items` in the order of its sample."""

    definition: BenchmarkDefinition
    items: list[Item] = field(repr=False)
    shots: list[dict[str, Any]] = field(repr=False)
    words: tuple[str, ...] = field(repr=False)

    def runner_definition(self, *, seed: int | None = None) -> dict[str, Any]:
        """What the runner is told."""
        return self.definition.runner_definition(seed=seed, words=self.words)


def assemble(
    definition: BenchmarkDefinition,
    *,
    open_rows: Opener,
    open_words: Opener,
    seed: int | None = None,
) -> Assembled:
    """Read what `definition` names; `open_rows` opens a path where its items lie, `open_words`
    one where the definition itself does.

    Raises:
        BadInputError: a file cannot be read, or does not hold what the definition asks of it.
    """
    with closing(open_rows(definition.file)) as stream:
        rows = read_rows(stream, definition.file, sample_by=definition.rows.sample_by)
        items = select_items(rows, definition, seed=seed)
    return Assembled(
        definition, items, _shots(definition, items, open_rows), _words(definition, open_words)
    )


def _shots(
    definition: BenchmarkDefinition, items: list[Item], open_rows: Opener
) -> list[dict[str, Any]]:
    wanted = definition.fewshot
    if wanted is None or wanted.file is None:
        return select_shots((), definition, items)
    with closing(open_rows(wanted.file)) as stream:
        rows = read_rows(stream, wanted.file, sample_by=definition.rows.sample_by)
        return select_shots(rows, definition, items)


def _words(definition: BenchmarkDefinition, open_words: Opener) -> tuple[str, ...]:
    if definition.words is None:
        return ()
    with closing(open_words(definition.words)) as stream:
        return read_words(stream, definition.words)
