"""Addresses of static files: made of a manifest that is read once, and so made once each."""

from __future__ import annotations

from typing import Any

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage


class KeptManifestStorage(ManifestStaticFilesStorage):
    """A page names some sixteen files, and there are a few hundred of them."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._kept: dict[str, str] = {}

    def url(self, name: str, force: bool = False) -> str:  # type: ignore[override]
        if force:
            return super().url(name, force)
        found = self._kept.get(name)
        if found is None:
            found = self._kept[name] = super().url(name)
        return found
