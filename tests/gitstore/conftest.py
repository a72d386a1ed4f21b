import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hub.errors import HubError
from hub.gitstore import Author, GitStore, Pointer
from hub.gitstore.http import advertise, request_body, serve
from hub.gitstore.receive import RefUpdate, check_updates, read_commands, refusal

ANN = Author("Ann Ex", "ann@example.org")


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.git"
    files = {"README.md": b"# A model\n", ".gitattributes": b"*.bin filter=lfs -text\n"}
    return GitStore.create(path, files=files, author=ANN).path


@pytest.fixture
def store(tmp_path, template) -> GitStore:
    return GitStore(shutil.copytree(template, tmp_path / "repository.git"))


class Client:
    """The real git, as a person has it, with no settings of this machine."""

    def __init__(self, home: Path, url: str = "") -> None:
        self.home, self.url = home, url
        home.mkdir(exist_ok=True)

    def __call__(self, *args: str, ok: bool = True, stdin: bytes | None = None, **env: str) -> str:
        own = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "Ben",
            "GIT_AUTHOR_EMAIL": "ben@example.org",
            "GIT_COMMITTER_NAME": "Ben",
            "GIT_COMMITTER_EMAIL": "ben@example.org",
            "LC_ALL": "C.UTF-8",
        }
        done = subprocess.run(
            ["git", *args], env=own | env, input=stdin, capture_output=True, timeout=120
        )
        text = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert (done.returncode == 0) == ok, text
        return text if not ok or done.stdout == b"" else done.stdout.decode("utf-8", "replace")

    def clone(self, folder: str = "work", *options: str) -> Path:
        self("clone", "--quiet", *options, self.url, str(self.home / folder))
        return self.home / folder

    def commit(self, work: Path, name: str, content: bytes, message: str = "work") -> str:
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_bytes(content)
        self("-C", str(work), "add", "--force", "--", name)
        self("-C", str(work), "commit", "--quiet", "-m", message)
        return self("-C", str(work), "rev-parse", "HEAD").strip()


@pytest.fixture
def git(tmp_path) -> Client:
    return Client(tmp_path / "home")


class Handler(BaseHTTPRequestHandler):
    """Smart HTTP over the framework-neutral functions, as a web framework would call them."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        service = self.path.partition("?service=")[2]
        found = advertise(self.server.store, service, self.headers.get("Git-Protocol"))
        self.answer(f"application/x-{service}-advertisement", [found])

    def do_POST(self) -> None:
        self.server.requests.append(dict(self.headers))
        service = self.path.rpartition("/")[2]
        encoding = self.headers.get("Content-Encoding", "")
        body = request_body(Body(self), content_encoding=encoding)
        protocol = self.headers.get("Git-Protocol")
        kind = f"application/x-{service}-result"
        if service == "git-upload-pack":
            return self.answer(kind, serve(self.server.store, service, body, protocol))
        updates, body = read_commands(body)
        reasons = check_updates(self.server.store, updates) | self.server.policy(updates)
        if reasons:
            return self.answer(kind, [refusal(updates, body, reasons)])
        hooks = {"check_pointers": self.server.check, "on_moved": self.server.moved.extend}
        return self.answer(kind, serve(self.server.store, service, body, protocol, **hooks))

    def answer(self, kind: str, chunks) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for chunk in filter(None, chunks):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        except HubError:
            self.close_connection = True
            return
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *args) -> None:
        pass


class Body:
    """A request's body, of a known length or chunked."""

    def __init__(self, handler: Handler) -> None:
        self.file, self.chunk = handler.rfile, b""
        self.chunked = "chunked" in handler.headers.get("Transfer-Encoding", "")
        self.left = int(handler.headers.get("Content-Length", 0))

    def read(self, size: int, /) -> bytes:
        if self.chunked and not self.left:
            self.left = int(self.file.readline(), 16)
            if not self.left:
                self.file.readline()
                self.chunked = False
        got = self.file.read(min(size, self.left))
        self.left -= len(got)
        if self.chunked and not self.left:
            self.file.readline()
        return got


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, store: GitStore) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.path = store.path
        self.requests: list[dict[str, str]] = []
        self.moved: list[RefUpdate] = []
        self.asked: list[Pointer] = []
        self.problem: str | None = None

    @property
    def store(self) -> GitStore:
        return GitStore(self.path)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/repository.git"

    def policy(self, updates: list[RefUpdate]) -> dict[str, str]:
        return {one.ref: "main is protected" for one in updates if one.ref.endswith("/protected")}

    def check(self, pointers: list[Pointer]) -> str | None:
        self.asked.extend(pointers)
        return self.problem


@pytest.fixture
def server(store, git) -> Iterator[Server]:
    with Server(store) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        git.url = running.url
        yield running
        running.shutdown()
        thread.join()
