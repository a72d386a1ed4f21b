"""Sentences with values in them, kept apart so that pages can say them in another language."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Note:
    """`template % values` is the sentence."""

    template: str
    values: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template % self.values


def gettext_noop(text: str) -> str:
    """Marks a sentence for the catalogue of translations."""
    return text
