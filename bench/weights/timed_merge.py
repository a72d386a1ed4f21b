"""`timed_merge.py RECIPE OUT BASE MODEL …`: carry out one recipe.

Started by its path: as a module it would load the whole benchmark first.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

from reviews.weights.checkpoint import open_checkpoint
from reviews.weights.merging.carry_out import merge
from reviews.weights.merging.recipe_file import parse_recipe


def main() -> None:
    recipe, out, *folders = map(Path, sys.argv[1:])
    with ExitStack() as kept:
        base, *models = (
            kept.enter_context(open_checkpoint({path.name: path for path in folder.iterdir()}))
            for folder in folders
        )
        merge(parse_recipe(recipe.read_bytes()), base, models, out)


if __name__ == "__main__":
    main()
