"""What the demo prints: numbered steps, each with its time and what it found."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class StepFailedError(Exception):
    """A step did not hold; the text says which and why."""


class Console:
    """Prints steps as they happen, so that nobody waits before a silent terminal."""

    def __init__(self) -> None:
        self.started_at = time.monotonic()
        self.number = 0
        self.times: list[tuple[str, float]] = []

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One step: its title at once, its time at the end."""
        self.number += 1
        began = time.monotonic()
        self.line(f"\n{self.number:2d}. {title}")
        yield
        seconds = time.monotonic() - began
        self.times.append((title, seconds))
        self.line(f"    ✓ {seconds:.1f} s")

    def say(self, text: str) -> None:
        """A result of the step at hand."""
        self.line(f"    {text}")

    def progress(self, text: str) -> None:
        """Overwrite one line on a terminal; elsewhere print it."""
        if sys.stdout.isatty():
            sys.stdout.write(f"\r\033[K    {text}")
            sys.stdout.flush()
        else:
            self.say(text)

    def line(self, text: str = "") -> None:
        if sys.stdout.isatty() and not text.startswith("\n"):
            sys.stdout.write("\r\033[K")
        print(text, flush=True)  # noqa: T201  this is a command that prints

    def total_seconds(self) -> float:
        return time.monotonic() - self.started_at


def check(holds: object, otherwise: str) -> None:
    """Stop the story when something it promises is not so."""
    if not holds:
        raise StepFailedError(otherwise)
