"""What went wrong with weights, as a command says it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError

from hub.errors import HubError
from reviews.actions.weights_said import problem_sentence
from reviews.weights.errors import WeightsError


@contextmanager
def in_words() -> Iterator[None]:
    """Raises: CommandError with a sentence, for what weights or the hub refuse."""
    try:
        yield
    except WeightsError as error:
        told = dict(error.parameters)
        said = problem_sentence(error.code, str(told.pop("tensor", "")), told)
        raise CommandError(said.text) from error
    except HubError as error:
        raise CommandError(str(error)) from error
