"""A few worked-out values, kept while a tensor is read in many pieces by few threads."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class LastUsed(Generic[T]):
    """The values used last, by name; at most `most` of them stay in memory."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._held: OrderedDict[str, T] = OrderedDict()

    def get(self, name: str, make: Callable[[], T]) -> T:
        """The value of `name`, made when it is not held; one at a time."""
        with self._lock:
            if name not in self._held:
                while len(self._held) >= self._most:
                    self._held.popitem(last=False)
                self._held[name] = make()
            self._held.move_to_end(name)
            return self._held[name]
