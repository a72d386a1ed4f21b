"""The examples before the questions of a benchmark (few-shot), chosen the same way every time."""

from collections.abc import Iterable
from typing import Any

from hub.errors import BadInputError
from training.specs.benchmark_definition import BenchmarkDefinition
from training.specs.items import Item
from training.specs.sampling import Row, Sample, select_rows
from training.specs.schema import canonical_json


def select_shots(
    rows: Iterable[Row], definition: BenchmarkDefinition, items: Iterable[Item] = ()
) -> list[dict[str, Any]]:
    """The examples of `definition`: of `rows`, or those that stand in it.

    A row that is also one of the `items` is passed over, so that no question shows its answer.

    Raises:
        BadInputError: there are fewer rows than examples are asked for.
    """
    wanted = definition.fewshot
    if wanted is None:
        return []
    asked = {canonical_json(item.doc) for item in items}
    if wanted.samples:
        if any(canonical_json(row) in asked for row in wanted.samples):
            raise BadInputError(
                f"The benchmark {definition.task} has an example that is one of its own items."
            )
        return [dict(row) for row in wanted.samples[: wanted.count]]
    sample = Sample(seed=wanted.seed, order="file" if wanted.sampler == "first_n" else "seeded")
    free = (row for row in rows if canonical_json(row) not in asked)
    chosen = select_rows(free, sample)[: wanted.count]
    if len(chosen) < wanted.count:
        raise BadInputError(
            f"The benchmark {definition.task} asks for {wanted.count} examples and "
            f"{wanted.file} has {len(chosen)} that are not its own items; lower num_fewshot."
        )
    return [dict(each.row) for each in chosen]
