"""Whether the weights at hand are those that a recipe names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from blake3 import blake3

from reviews.weights.errors import WeightsError
from reviews.weights.merging.recipe import MergeRecipe


def weights_digest(digests: Mapping[str, str]) -> str:
    """The digest of a whole checkpoint from those of its tensors, by their names.

    It is equal for equal weights, into whatever files they are split. `digests` are
    `tensor_digest`'s.
    """
    lines = "\n".join(f"{name}\t{digest}" for name, digest in sorted(digests.items()))
    return f"v1:{blake3(lines.encode()).hexdigest()}"


def require_parents(recipe: MergeRecipe, base: str, models: Sequence[str]) -> None:
    """Refuse weights with other digests than the recipe's.

    Raises: WeightsError: parents_changed, with the revision whose weights are not what they were.
    """
    wanted = [recipe.base, *(model.source for model in recipe.models)]
    for source, found in zip(wanted, [base, *models], strict=True):
        if source.weights != found:
            raise WeightsError("parents_changed", revision=source.revision, found=found)
