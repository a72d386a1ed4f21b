"""Rows of the role matrix for the pages that change files."""

from __future__ import annotations

from tests.role_matrix import Need, Route


def _rows(name: str, need: Need, **kwargs: str) -> dict[tuple[str, str], Route]:
    """An empty form is shown again with what is wrong: whoever may not change is refused first."""
    route = Route(
        need,
        dict(kwargs),
        body=lambda world: b"",
        content_type="application/x-www-form-urlencoded",
        takes_tokens=False,
    )
    return {(name, "GET"): route, (name, "POST"): route}


WRITING: dict[tuple[str, str], Route] = {
    **_rows("hub:file-edit", Need.CONTRIBUTE, revision="main", path="README.md"),
    **_rows("hub:file-new", Need.CONTRIBUTE, revision="main"),
    **_rows("hub:file-move", Need.CONTRIBUTE, revision="main", path="README.md"),
    **_rows("hub:file-delete", Need.CONTRIBUTE, revision="main", path="README.md"),
    **_rows("hub:file-upload", Need.CONTRIBUTE, revision="main"),
    **_rows("hub:card-metadata", Need.CONTRIBUTE, revision="main"),
    ("hub:repository-start", "GET"): Route(Need.WRITE, takes_tokens=False),
    ("hub:repository-start", "POST"): Route(Need.WRITE, takes_tokens=False),
}
