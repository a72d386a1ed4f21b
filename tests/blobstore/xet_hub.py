"""A loopback CAS that hands what hf_xet sends to a `XetStore`, and the real client beside it."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from hub.blobstore.xet import XetStore
from hub.errors import HubError

CLIENT = """
import json, sys, hf_xet
url, *paths = sys.argv[1:]
session = hf_xet.XetSession()
with session.new_upload_commit(token_refresh_url=url + "/token", token_refresh_headers={},
                               custom_headers={}, progress_callback=None) as commit:
    handles = [commit.start_upload_file(path, sha256=hf_xet.COMPUTE_SHA256) for path in paths]
print(json.dumps([[info.hash, info.sha256, info.file_size]
                  for info in (handle.result().xet_info for handle in handles)]))
"""

DOWNLOAD = """
import sys, hf_xet
url, name, size, path = sys.argv[1:]
session = hf_xet.XetSession()
with session.new_file_download_group(token_refresh_url=url + "/token", token_refresh_headers={},
                                     custom_headers={}, progress_callback=None) as group:
    group.start_download_file(hf_xet.XetFileInfo(name, int(size)), path)
"""


class XetHub(ThreadingHTTPServer):
    """The routes of a CAS over one store; it remembers each request and each result."""

    daemon_threads = True

    def __init__(self, store: XetStore) -> None:
        super().__init__(("127.0.0.1", 0), XetHandler)
        self.store, self.requests, self.ingested = store, [], []
        self.xorbs: dict[str, bytes] = {}
        self.shards: list[bytes] = []
        self.versions = {"v1", "v2"}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def upload(self, *paths: Path, cache: Path) -> list[list]:
        """What the real client, with its own cache, says it uploaded: (xet hash, sha256, size)."""
        result = run_client(CLIENT, self.url, *paths, cache=cache)
        return json.loads(result)

    def download(self, xet_hash: str, size_bytes: int, path: Path, *, cache: Path) -> bytes:
        """The bytes that the real client makes of a file's reconstruction."""
        run_client(DOWNLOAD, self.url, xet_hash, size_bytes, path, cache=cache)
        return path.read_bytes()

    def fetch_url(self, xorb: str, first_byte: int, last_byte: int) -> str:
        return f"{self.url}/fetch/{xorb}"


class XetHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: XetHub

    def log_message(self, *args: object) -> None:
        """Keep the test's output free of request lines."""

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        parts = self.path.strip("/").split("/")
        if "reconstructions" in parts and parts[0] in self.server.versions:
            return self.answer_reconstruction(parts[0], parts[-1])
        if parts[0] == "fetch":
            return self.answer_fetch(parts[1])
        if self.path != "/token":
            return self.answer(404, {})
        token = {"accessToken": "t", "exp": int(time.time()) + 3600, "casUrl": self.server.url}
        return self.answer(200, token)

    def do_POST(self) -> None:
        self.server.requests.append(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        parts = self.path.strip("/").split("/")
        if parts[1] == "xorbs":
            self.server.xorbs[parts[3]] = body
            return self.answer_xorb(parts[3], body)
        if parts[1] == "shards":
            self.server.shards.append(body)
            return self.answer_shard(body)
        return self.answer(404, {})

    def answer_xorb(self, name: str, body: bytes) -> None:
        path = self.server.store.blobs.root / f"spool-{threading.get_ident()}"
        path.write_bytes(body)
        inserted = self.server.store.put_xorb(name, path, length_bytes=len(body))
        path.unlink()
        self.answer(200, {"was_inserted": inserted})

    def answer_shard(self, body: bytes) -> None:
        try:
            self.server.ingested += self.server.store.ingest_shard(body, limit_bytes=1 << 30)
            self.answer(200, {"type": "result"})
        except HubError as refusal:
            self.answer(200, {"type": "error", "message": str(refusal), "retryable": False})

    def range(self) -> tuple[int, int]:
        first, last = self.headers["Range"].removeprefix("bytes=").split("-")
        return int(first), int(last) + 1

    def answer_reconstruction(self, version: str, name: str) -> None:
        try:
            plan = self.server.store.reconstruct(name, *self.range())
            self.answer(200, getattr(plan, version)(self.server.fetch_url))
        except HubError as refusal:
            self.answer(refusal.http_status, {})

    def answer_fetch(self, name: str) -> None:
        start, end = self.range()
        body = self.server.store.xorbs.path(name).read_bytes()[start:end]
        self.send_response(206)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, status: int, document: dict) -> None:
        body = json.dumps(document).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def run_client(script: str, *arguments: object, cache: Path) -> str:
    """Run hf_xet in a process of its own, as on a machine whose cache is `cache`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    result = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env=clean | {"HF_XET_CACHE": str(cache), "HOME": str(cache)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    if result.returncode:
        raise RuntimeError(result.stderr[-2000:])
    return result.stdout


@contextmanager
def serving(store: XetStore):
    hub = XetHub(store)
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        thread.join()
        hub.server_close()
