"""How large files travel, spelled once for the tests."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

from django.conf import settings
from django.test import Client

from hub.models import Repository
from tests.blobstore.xet_builder import Claim, claim_of, shard_of, xorb_name, xorb_of

LFS_JSON = "application/vnd.git-lfs+json"
CHUNKS = [b"weights" * 900, bytes(5000), b"x" * 400]


@dataclass(frozen=True)
class LargeFile:
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def asked(self) -> dict[str, Any]:
        return {"oid": self.sha256, "size": len(self.content)}


def batch(client: Client, repository: Repository, operation: str, *files: LargeFile) -> Any:
    body = {"operation": operation, "objects": [one.asked() for one in files]}
    path = f"/{repository.path}.git/info/lfs/objects/batch"
    return client.post(path, json.dumps(body), content_type=LFS_JSON)


def answer_for(client: Client, repository: Repository, operation: str, file: LargeFile) -> Any:
    """What a batch says of one file."""
    return batch(client, repository, operation, file).json()["objects"][0]


def href_to(client: Client, repository: Repository, operation: str, file: LargeFile) -> str:
    """The signed address, without its origin."""
    answer = answer_for(client, repository, operation, file)
    return local(answer["actions"][operation]["href"])


def local(url: str) -> str:
    assert url.startswith(f"{settings.PUBLIC_URL}/")
    return url.removeprefix(settings.PUBLIC_URL)


def put(href: str, content: bytes, **more: Any) -> Any:
    """As huggingface_hub sends bytes: no credentials, no content type."""
    return Client().generic("PUT", href, content, content_type="", **more)


def upload(client: Client, repository: Repository, content: bytes) -> LargeFile:
    """Send a large file the whole way."""
    file = LargeFile(content)
    assert put(href_to(client, repository, "upload", file), content).status_code == 200
    return file


def changed(href: str, **query: str) -> str:
    """The same address with other values in its query."""
    parts = urlsplit(href)
    values = {key: found[0] for key, found in parse_qs(parts.query).items()} | query
    text = "&".join(f"{key}={value}" for key, value in values.items())
    return urlunsplit(parts._replace(query=text))


@dataclass(frozen=True)
class Cas:
    """A Xet client's view of one token."""

    base: str
    token: str

    @classmethod
    def of(cls, client: Client, repository: Repository, mode: str = "write", rest: str = "") -> Cas:
        path = f"/{repository.api_path}/xet-{mode}-token/{rest or 'main'}"
        said = client.get(path).json()
        return cls(local(said["casUrl"]), said["accessToken"])

    def post(self, path: str, body: bytes = b"") -> Any:
        client = Client(headers={"authorization": f"Bearer {self.token}"})
        kind = "application/octet-stream"
        return client.generic("POST", f"{self.base}/{path}", body, content_type=kind)

    def get(self, path: str, **headers: str) -> Any:
        return Client().get(
            f"{self.base}/{path}", headers={"authorization": f"Bearer {self.token}", **headers}
        )

    def post_xorb(self, chunks: list[bytes] = CHUNKS, old: str = "v1/") -> Any:
        return self.post(f"{old}xorbs/default/{xorb_name(chunks)}", xorb_of(chunks))

    def post_shard(self, chunks: list[bytes] = CHUNKS, **lies: object) -> list[dict[str, Any]]:
        """The frames of the answer."""
        return self.post_claims(claim_of(chunks).but(**lies))

    def post_claims(self, *claims: Claim) -> list[dict[str, Any]]:
        response = self.post("v2/shards", shard_of(*claims))
        assert response.status_code == 200, response.content
        return [json.loads(line) for line in response.getvalue().splitlines()]


def no_blobs_in(repository: Repository) -> bool:
    folder: Path = repository.blobs().root
    return not any(path.is_file() for path in (folder / "blobs").glob("**/*")) and not any(
        (folder / "tmp").iterdir()
    )
