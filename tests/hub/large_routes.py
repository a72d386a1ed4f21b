"""Rows of the role matrix for the routes of `hub.api.large_urls`."""

from __future__ import annotations

from typing import Any

from tests.role_matrix import Need, Route, World


def _target(world: World) -> dict[str, Any]:
    name = f"{world.repository.namespace.slug}/{world.repository.name}"
    return {"target": {"type": "model", "name": name}, "files": []}


_NOTHING = {"deletions": {"sha": [], "rewriteHistory": True}}

_OID = {"oid": "ab" * 32}

LARGE: dict[tuple[str, str], Route] = {
    ("hub:lfs-part", "PUT"): Route(Need.SEALED, {**_OID, "part": 1}, of_repository=False),
    ("hub:lfs-finish", "GET"): Route(Need.SEALED, _OID, of_repository=False),
    ("hub:lfs-finish", "DELETE"): Route(Need.SEALED, _OID, of_repository=False),
    ("hub:lfs-finish", "POST"): Route(Need.SEALED, _OID, of_repository=False),
    ("hub:safetensors-metadata", "GET"): Route(Need.READ, {"path": "model.safetensors"}),
    ("hub:lfs-files", "GET"): Route(Need.WRITE),
    ("hub:lfs-files-batch", "POST"): Route(Need.ADMIN, body=lambda world: _NOTHING),
    ("hub:lfs-files-duplicate", "POST"): Route(Need.CONTRIBUTE, body=_target),
}
