"""What the proxy does to requests on their way, seen from both ends over real sockets."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from email.utils import formatdate

import pytest

from hub.supervisor import Services
from tests.supervisor.conftest import Hub, until
from tests.supervisor.standin import UPLOAD_LIMIT_BYTES

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("supervisor")]
OBJECT_ID = "ab" * 32
LFS = f"/-/lfs/12/{OBJECT_ID}"
GIT_LFS = f"/ns/model.git/info/lfs/objects/{OBJECT_ID}"
XORB = f"/-/xet/public/1/v1/xorbs/default/{OBJECT_ID}"
SIGNED_IN = {"Authorization": "Bearer good"}


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self) -> dict:
        return json.loads(self.body)


def ask(
    hub: Hub,
    path: str,
    method: str = "GET",
    body: bytes | Iterator[bytes] | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=30)
    try:
        connection.request(
            method, path, body, headers or {}, encode_chunked=isinstance(body, Iterator)
        )
        return Answer(connection.getresponse())
    finally:
        connection.close()


@pytest.mark.parametrize(
    "path",
    [
        "/api/models/ns/m/tree/refs%2Fpr%2F1/a%2Fb?x=%2F",
        "/ns/m/resolve/refs%2Fpr%2F1/a%20b.txt",
        f"{GIT_LFS}?sig=%2F%2B",
    ],
)
def test_the_raw_address_arrives_unchanged(standing_hub, path):
    assert ask(standing_hub, path).json()["raw_uri"] == path


def test_a_client_cannot_name_a_body_file(standing_hub):
    forged = {
        "X-Body-File": "/etc/passwd",
        "X_Body_File": "/etc/passwd",
        "X-Upload-Refused": "0",
        "X-Original-URI": "/",
        "X-Forwarded-For": "10.0.0.1",
        "X-Forwarded-Proto": "https",
    }
    for path, method in (("/", "GET"), (LFS, "GET"), (XORB, "PUT"), ("/api/x", "POST")):
        headers = ask(standing_hub, path, method, b"{}", forged).json()["headers"]
        assert "/etc/passwd" not in headers.values()
        assert not {"HTTP_X_UPLOAD_REFUSED", "HTTP_X_ORIGINAL_URI"} & headers.keys()
        assert headers["HTTP_X_FORWARDED_FOR"] == "127.0.0.1"
        assert headers["HTTP_X_FORWARDED_PROTO"] == "http"


def wait_until_empty(folder):
    """nginx removes a spooled body a moment after its answer has gone out."""
    deadline = time.monotonic() + 10
    while list(folder.iterdir()):
        assert time.monotonic() < deadline, "a spooled body was left behind"
        time.sleep(0.02)


@pytest.mark.parametrize(("path", "method"), [(LFS, "PUT"), (GIT_LFS, "PUT"), (XORB, "POST")])
def test_an_upload_arrives_as_a_file(standing_hub, path, method):
    said = ask(standing_hub, f"{path}?s=%2F", method, b"x" * 3_000_000, SIGNED_IN).json()
    assert (said["spooled_bytes"], said["body_bytes"]) == (3_000_000, 0)
    assert (said["method"], said["raw_uri"]) == (method, f"{path}?s=%2F")
    asked = json.loads((standing_hub.data_dir / "asked.json").read_text())
    assert asked == {"HTTP_X_ORIGINAL_URI": f"{path}?s=%2F", "HTTP_X_ORIGINAL_METHOD": method}
    wait_until_empty(standing_hub.data_dir / "spool")


def test_an_upload_in_chunks_arrives_as_a_file(standing_hub):
    chunks = (b"x" * 100_000 for _ in range(10))
    said = ask(standing_hub, LFS, "PUT", chunks, {**SIGNED_IN, "Transfer-Encoding": "chunked"})
    assert said.json()["spooled_bytes"] == 1_000_000


@pytest.mark.parametrize(
    ("headers", "length", "status", "code"),
    [
        ({}, 1000, 401, "Unauthenticated"),
        (SIGNED_IN, UPLOAD_LIMIT_BYTES + 1, 507, "StorageFull"),
    ],
)
def test_a_refused_upload_sends_no_byte_and_is_told_why(
    standing_hub, headers, length, status, code
):
    with socket.create_connection(("127.0.0.1", standing_hub.port), timeout=10) as connection:
        lines = [f"PUT {LFS} HTTP/1.1", "Host: x", f"Content-Length: {length}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        connection.sendall("\r\n".join([*lines, "Expect: 100-continue", "", ""]).encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert (response.status, response.headers["X-Error-Code"]) == (status, code)
        assert json.loads(response.read())["error"]
    assert list((standing_hub.data_dir / "spool").iterdir()) == []


@pytest.mark.parametrize("in_chunks", [False, True])
def test_a_client_that_does_not_wait_is_refused_all_the_same(standing_hub, in_chunks):
    body = b"x" * 3_000_000
    if in_chunks:
        pieces = (body[:100_000] for _ in range(30))
        answer = ask(standing_hub, LFS, "PUT", pieces, {"Transfer-Encoding": "chunked"})
    else:
        answer = ask(standing_hub, LFS, "PUT", body)
    assert (answer.status, answer.json()) == (401, {"error": "no token"})


def test_an_upload_broken_off_leaves_nothing(standing_hub):
    spool = standing_hub.data_dir / "spool"
    with socket.create_connection(("127.0.0.1", standing_hub.port)) as connection:
        head = f"PUT {LFS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n"
        connection.sendall(f"{head}Content-Length: 2000000\r\n\r\n".encode() + b"x" * 1_000_000)
        until(lambda: any(spool.iterdir()), 5)
    until(lambda: not any(spool.iterdir()), 5)


def test_a_file_is_sent_by_the_proxy_with_what_the_hub_said_about_it(standing_hub):
    folder = standing_hub.data_dir / "objects" / "public"
    folder.mkdir(exist_ok=True)
    (folder / "model").write_bytes(bytes(range(256)) * 100)
    whole = ask(standing_hub, "/download/public/model", headers={"Accept-Encoding": "gzip"})
    assert whole.body == bytes(range(256)) * 100
    assert whole.headers["ETag"] == '"abc"'
    assert whole.headers["X-Repo-Commit"] == "0" * 40
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    assert whole.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert whole.headers["Content-Disposition"] == 'attachment; filename="model.bin"'
    assert whole.headers["Content-Type"] == "application/octet-stream"
    assert whole.headers.get("Content-Encoding") is None
    part = ask(standing_hub, "/download/public/model", headers={"Range": "bytes=256-259"})
    assert (part.status, part.body) == (206, b"\0\1\2\3")
    stale = {"Range": "bytes=0-3", "If-Range": '"other"'}
    assert ask(standing_hub, "/download/public/model", headers=stale).status == 200
    fresh = {"Range": "bytes=0-3", "If-Range": '"abc"'}
    assert ask(standing_hub, "/download/public/model", headers=fresh).status == 206
    past = ask(standing_hub, "/download/public/model", headers={"Range": "bytes=99999999-"})
    assert past.status == 416
    assert past.headers["Content-Range"] == "bytes */25600"
    assert past.headers["X-Repo-Commit"] == "0" * 40
    assert past.headers["X-Error-Code"] == "RangeNotSatisfiable"
    assert past.json() == {"error": past.headers["X-Error-Message"]}


@pytest.mark.parametrize(
    "path",
    [
        "/-/internal/objects/public/model",
        "/-/internal%2Fobjects/public/model",
        "/x/../-/internal/objects/public/model",
        "/-/internal/authorize-upload",
        "/-/internal/errors/502.json",
        "/-/internal/anything",
        "/static/../objects/public/model",
        "/static/%2e%2e/secret_key",
        "/static../secret_key",
    ],
)
def test_the_inside_is_not_to_be_had_from_outside(standing_hub, path):
    answer = ask(standing_hub, path, headers=SIGNED_IN)
    assert answer.status in (400, 404) or answer.json()["raw_uri"] == path


def test_text_is_packed_and_files_are_not(standing_hub):
    packed = {"Accept-Encoding": "gzip"}
    for path in ("/api/models", "/-/explore"):
        assert ask(standing_hub, path, headers=packed).headers["Content-Encoding"] == "gzip"
    for path in ("/ns/m/resolve/main/config.json", "/-/xet/x", "/ns/m/raw/main/a.json"):
        assert ask(standing_hub, path, headers=packed).headers.get("Content-Encoding") is None


def test_names_with_a_hash_are_kept_for_ever(standing_hub):
    static = standing_hub.data_dir / "static"
    (static / "hub.0123456789ab.css").write_text("body{}")
    (static / "hub.css").write_text("body{}")
    kept = ask(standing_hub, "/static/hub.0123456789ab.css")
    assert "immutable" in kept.headers["Cache-Control"]
    assert kept.headers["Content-Type"] == "text/css"
    assert ask(standing_hub, "/static/hub.css").headers["Cache-Control"] == "no-cache"


def test_a_stored_file_is_known_by_its_etag_and_not_by_its_date(standing_hub):
    objects = standing_hub.data_dir / "objects"
    objects.mkdir(exist_ok=True)
    (objects / "dated.bin").write_bytes(b"0123456789")
    date = formatdate((objects / "dated.bin").stat().st_mtime, usegmt=True)

    def get(**headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(standing_hub, "/download/dated.bin", headers=named)

    whole = get(If_Modified_Since=date)
    assert (whole.status, whole.body) == (200, b"0123456789")
    assert "Last-Modified" not in whole.headers
    assert get(Range="bytes=2-3", If_Range='"abc"').body == b"23"
    assert get(Range="bytes=2-3", If_Range='"other"').status == 200
    assert get(Range="bytes=2-3", If_Range=date).status == 200


@pytest.mark.parametrize(
    ("path", "method", "length", "status"),
    [
        ("/api/models", "POST", 1 << 20, 200),
        ("/api/models", "POST", (1 << 20) + 1, 413),
        ("/api/models/ns/m/commit/main", "POST", 2 << 20, 200),
        ("/ns/m.git/git-receive-pack", "POST", 2 << 20, 200),
    ],
)
def test_bodies_are_bounded_by_their_address(standing_hub, path, method, length, status):
    answer = ask(standing_hub, path, method, b"x" * length)
    assert answer.status == status
    if status == 413:
        assert answer.headers["X-Error-Code"] == "TooLarge"
        assert answer.json() == {"error": answer.headers["X-Error-Message"]}


def test_a_push_streams_through_without_waiting_for_its_end(standing_hub):
    def slow() -> Iterator[bytes]:
        for _ in range(3):
            yield b"x" * 1000
            time.sleep(0.05)

    said = ask(
        standing_hub,
        "/ns/m.git/git-receive-pack",
        "POST",
        slow(),
        {"Transfer-Encoding": "chunked"},
    ).json()
    assert said["headers"]["HTTP_TRANSFER_ENCODING"] == "chunked"
    assert said["body_bytes"] == 3000


@pytest.mark.parametrize(("header_bytes", "refused"), [(8000, False), (9000, True)])
def test_headers_are_bounded(standing_hub, header_bytes, refused):
    answer = ask(standing_hub, "/", headers={"X-Long": "x" * header_bytes})
    assert (answer.status == 431) == refused
    if refused:
        assert answer.headers["X-Error-Code"] == "TooLong"
        assert "8 KiB" in answer.headers["X-Error-Message"]


@pytest.mark.parametrize(("count", "refused"), [(3, False), (5, True)])
def test_all_headers_together_are_bounded(standing_hub, count, refused):
    answer = ask(standing_hub, "/", headers={f"X-{n}": "x" * 7900 for n in range(count)})
    assert (answer.status == 431) == refused


@pytest.mark.parametrize(("length", "refused"), [(8000, False), (8192, True)])
def test_an_address_is_bounded(standing_hub, length, refused):
    for path in ("/api/models?search=", "/?search="):
        answer = ask(standing_hub, path + "x" * (length - len(path)))
        assert (answer.status == 414) == refused
        if refused:
            assert answer.headers["X-Error-Code"] == "TooLong"


def test_a_request_keeps_its_harmless_id(standing_hub):
    kept = ask(standing_hub, "/", headers={"X-Request-ID": "abc-1"}).json()["headers"]
    assert kept["HTTP_X_REQUEST_ID"] == "abc-1"
    made = ask(standing_hub, "/", headers={"X-Request-ID": 'a" b'}).json()["headers"]
    assert len(made["HTTP_X_REQUEST_ID"]) == 32


def test_while_the_web_is_away_everyone_is_told_in_his_form(make_hub):
    hub = make_hub()
    hub.start()
    (Services(hub.data_dir, {}).data.sockets / "web.sock").unlink()
    for path, form in (("/api/models", "application/json"), ("/models", "text/html")):
        answer = ask(hub, path)
        assert (answer.status, answer.headers["Content-Type"]) == (502, form)
        assert answer.headers["X-Error-Code"] == "Unavailable"
        assert answer.headers["Retry-After"] == "2"
    refused = ask(hub, LFS, "PUT", b"x" * 10, SIGNED_IN)
    assert (refused.status, refused.headers["X-Error-Code"]) == (502, "Unavailable")
