"""The body of a commit on its way through the whole hub: large, in chunks, broken off."""

from __future__ import annotations

import base64
import json
import os
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from huggingface_hub import CommitOperationAdd, HfApi

from tests.hub.machines import Machine, forget_peak, peak_bytes, web_processes
from tests.server import HubServer

pytestmark = pytest.mark.stack
GROWTH_LIMIT_BYTES = 50 * 1024**2


@pytest.fixture(scope="module")
def ida(hub_server: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    machine = Machine(hub_server, tmp_path_factory.mktemp("ida"), hub_server.person("ida"))
    api_of(machine).create_repo("ida/home")
    return machine


def api_of(machine: Machine) -> HfApi:
    return HfApi(endpoint=machine.server.url, token=machine.token)


def address(machine: Machine, repo_id: str = "ida/home", revision: str = "main") -> str:
    return f"{machine.server.url}/api/models/{repo_id}/commit/{revision}"


def body(*lines: dict[str, Any]) -> bytes:
    header = {"key": "header", "value": {"summary": "Change files", "description": ""}}
    return b"".join(json.dumps(line).encode() + b"\n" for line in (header, *lines))


def file(path: str, content: bytes) -> dict[str, Any]:
    encoded = base64.b64encode(content).decode()
    return {"key": "file", "value": {"content": encoded, "path": path, "encoding": "base64"}}


def test_twelve_files_of_nine_megabytes_are_one_commit_and_leave_the_web_small(ida):
    api = api_of(ida)
    files = {f"big/{number}.txt": os.urandom(4_500_000).hex().encode() for number in range(12)}
    workers = web_processes(ida.server)
    assert workers
    before = {}
    for one in workers:
        forget_peak(one)
        before[one.pid] = one.memory_info().rss
    api.create_commit(
        "ida/home",
        operations=[CommitOperationAdd(path, content) for path, content in files.items()],
        commit_message="144 MB at once",
    )
    grown = max(peak_bytes(one) - before[one.pid] for one in workers)
    assert grown < GROWTH_LIMIT_BYTES, f"{grown / 1024**2:.0f} MiB"
    sizes = {one.path: one.size for one in api.get_paths_info("ida/home", list(files))}
    assert sizes == dict.fromkeys(files, 9_000_000)
    assert not list((ida.server.data_dir / "spool").iterdir())


def test_a_body_in_chunks_is_read_by_every_door_of_the_api(ida):
    chunked = {"Transfer-Encoding": "chunked"}

    def pieces(content: bytes) -> Iterator[bytes]:
        return (content[at : at + 1000] for at in range(0, len(content), 1000))

    lines = body(file("chunked.txt", b"x" * 5000))
    kind = {"Content-Type": "application/x-ndjson"}
    made = ida.ask("POST", address(ida), pieces(lines), **chunked, **kind)
    assert made.status == 200, made.body
    repo = f"{ida.server.url}/api/models/ida/home"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    found = ida.ask(
        "POST", f"{repo}/paths-info/main", pieces(b"paths=chunked.txt"), **chunked, **form
    )
    assert [one["size"] for one in json.loads(found.body)] == [5000]
    sent = pieces(json.dumps({"tag": "chunked"}).encode())
    assert ida.ask("POST", f"{repo}/tag/main", sent, **chunked).status == 200


@pytest.mark.parametrize("way", ["length", "chunks", "bad chunk"])
def test_a_body_that_breaks_off_at_the_end_of_a_line_changes_nothing(ida, way):
    api = api_of(ida)
    head = api.model_info("ida/home").sha
    whole = body(file("torn-a.txt", b"a"), file("torn-b.txt", b"b"))
    part = whole[: whole.rindex(b"\n", 0, len(whole) - 1) + 1]
    parts = urlsplit(address(ida))
    lines = [f"POST {parts.path} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"Authorization: Bearer {ida.token}", "Content-Type: application/x-ndjson"]
    lines += [f"Content-Length: {len(whole)}" if way == "length" else "Transfer-Encoding: chunked"]
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        connection.sendall(part if way == "length" else b"%x\r\n%s\r\n" % (len(part), part))
        if way == "bad chunk":
            connection.sendall(b"zz\r\n")
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(20)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    assert not answer.startswith(b"HTTP/1.1 2")
    assert api.model_info("ida/home").sha == head
    assert api.file_exists("ida/home", "torn-a.txt") is False


def test_a_refused_body_is_read_to_its_end_and_told_why(ida):
    big = body(*(file(f"{number}.txt", b"x" * 3_000_000) for number in range(6)))
    kind = {"Content-Type": "application/x-ndjson"}
    for place, status, code in (
        (address(ida, revision="nope"), 404, "RevisionNotFound"),
        (address(ida, repo_id="ida/none"), 404, "RepoNotFound"),
    ):
        answer = ida.ask("POST", place, big, **kind)
        assert (answer.status, answer.headers["X-Error-Code"]) == (status, code)
        assert json.loads(answer.body)["error"]
