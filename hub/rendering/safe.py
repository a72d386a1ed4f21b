"""The type of HTML that has passed the sanitiser or was escaped piece by piece."""

from __future__ import annotations


class SanitisedHtml(str):
    """HTML made in this package from text that was escaped or sanitised last."""

    __slots__ = ()
