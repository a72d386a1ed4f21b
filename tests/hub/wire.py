"""What clients of the API send, spelled once for the tests."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

from django.test import Client

from hub.actions import large_files
from hub.models import Repository, StoredObject


def file(path: str, content: bytes) -> dict[str, Any]:
    encoded = base64.b64encode(content).decode()
    return {"key": "file", "value": {"path": path, "content": encoded, "encoding": "base64"}}


def large_file(path: str, sha256: str, **value: Any) -> dict[str, Any]:
    return {"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": sha256, **value}}


def deleted(path: str, key: str = "deletedFile") -> dict[str, Any]:
    return {"key": key, "value": {"path": path}}


def send(client: Client, method: str, path: str, body: bytes = b"", **more: Any) -> Any:
    """A request whose path arrives as it was written: `%2F` stays what it is."""
    return client.generic(method, path, body, RAW_URI=path, **more)


def send_json(client: Client, method: str, path: str, value: Any = None) -> Any:
    body = b"" if value is None else json.dumps(value).encode()
    return send(client, method, path, body, content_type="application/json")


def commit(
    client: Client,
    repository: Repository,
    *lines: dict[str, Any],
    revision: str = "main",
    query: str = "",
    **header: Any,
) -> Any:
    """POST a commit of `lines`."""
    first = {"key": "header", "value": {"summary": "Change files", "description": ""} | header}
    body = b"\n".join(json.dumps(line).encode() for line in (first, *lines))
    path = f"/{repository.api_path}/commit/{revision}{query}"
    return send(client, "POST", path, body, content_type="application/x-ndjson")


def stored(repository: Repository, content: bytes) -> StoredObject:
    """`content` as a large file of `repository`."""
    return large_files.store(repository, io.BytesIO(content))


def body_of(response: Any) -> bytes:
    """The bytes of any response."""
    return response.getvalue() if response.streaming else response.content
