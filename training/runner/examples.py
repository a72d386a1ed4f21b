"""Training examples: rows through prompt and completion templates, to ids and labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.runner.encoding import encode_pair
from training.runner.errors import BadDataError, BadRecipeError
from training.runner.rows import read_rows
from training.runner.templates import Template

if TYPE_CHECKING:
    import torch

IGNORED = -100
EXAMPLE_LIMIT = 200_000
MAX_LENGTH = 1024


def read_examples(
    paths: Sequence[Path], recipe: dict[str, Any], tokenizer: Any
) -> list[dict[str, list[int]]]:
    """`input_ids` and `labels` of every row; labels are IGNORED on the prompt.

    The completion follows the prompt exactly as a benchmark's choice follows its text, so that
    training raises what the benchmark measures. Rows longer than `max_length` lose the
    beginning of their prompt.
    Raises: BadDataError when a row lacks a column or there are no rows.
    """
    prompt = Template(recipe.get("prompt", ""), field="The prompt", error=BadDataError)
    completion = Template(recipe["completion"], field="The completion", error=BadDataError)
    build = ExampleBuilder(recipe, tokenizer)
    examples: list[dict[str, list[int]]] = []
    for path in paths:
        for number, row in enumerate(read_rows(path, error=BadDataError), start=1):
            _check_columns(path, number, row, prompt, completion)
            examples.append(build(prompt.render(row), completion.render(row)))
            if len(examples) > EXAMPLE_LIMIT:
                raise BadDataError(f"The data exceed {EXAMPLE_LIMIT} rows; choose fewer.")
    if not examples:
        raise BadDataError("The data set has no rows; add some.")
    return examples


class ExampleBuilder:
    """Turns prompt and completion into one example."""

    def __init__(self, recipe: dict[str, Any], tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.delimiter = recipe.get("target_delimiter", " ")
        self.max_length = recipe.get("max_length") or MAX_LENGTH
        self.end = [tokenizer.eos_token_id] if recipe.get("append_eos") else []
        if self.end == [None]:
            raise BadRecipeError("The tokenizer has no end token; remove append_eos.")

    def __call__(self, prompt: str, completion: str) -> dict[str, list[int]]:
        delimiter = self.delimiter if prompt else ""
        request = encode_pair(self.tokenizer, prompt, delimiter + completion)
        ids = [*request.ids, *self.end]
        scored = request.scored + len(self.end)
        labels = [IGNORED] * (len(ids) - scored) + ids[len(ids) - scored :]
        return {"input_ids": ids[-self.max_length :], "labels": labels[-self.max_length :]}


def collate(examples: Sequence[dict[str, list[int]]]) -> dict[str, "torch.Tensor"]:
    """`input_ids` and `labels` [rows, longest], padded on the right where no label looks."""
    import torch

    width = max(len(example["input_ids"]) for example in examples)
    ids = [[*e["input_ids"], *([0] * (width - len(e["input_ids"])))] for e in examples]
    labels = [[*e["labels"], *([IGNORED] * (width - len(e["labels"])))] for e in examples]
    return {"input_ids": torch.tensor(ids), "labels": torch.tensor(labels)}


def _check_columns(path: Path, number: int, row: dict[str, Any], *templates: Template) -> None:
    for template in templates:
        if template.source in row:
            continue
        missing = template.missing_from(row)
        if not missing and template.columns:
            continue
        if not missing and template.field == "The prompt":
            continue
        name = missing[0] if missing else template.source
        raise BadDataError(
            f'The data set has no column "{name}" ({path.name}, line {number} has: '
            f"{', '.join(list(row)[:20])}); name one of these in the recipe."
        )
