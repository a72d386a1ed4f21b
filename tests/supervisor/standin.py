"""A small application in the hub's place, so that the supervisor and the proxy are tested alone.

It answers with what it was sent, opens the database, and knows the upload and download contracts.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg
import valkey
from celery import Celery

Start = Callable[[str, list[tuple[str, str]]], Any]
UPLOAD_LIMIT_BYTES = 4 * 1024 * 1024

app = Celery("standin", broker=os.environ.get("BROKER_URL", ""))


@app.task(name="standin.remember")
def remember(key: str) -> None:
    """Leave a mark in the cache that a test can look for."""
    valkey.from_url(os.environ["CACHE_URL"]).set(key, "done", ex=60)


def application(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/healthz":
        return _answer(start_response, "200 OK", {"ok": True})
    if path == "/database":
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            row = connection.execute("SELECT current_database()").fetchone()
        return _answer(start_response, "200 OK", {"database": row[0] if row else None})
    if path == "/-/internal/authorize-upload":
        return _authorise(environ, start_response)
    if path.startswith("/download/"):
        return _download(path.removeprefix("/download/"), start_response)
    return _echo(environ, start_response)


def _authorise(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    """Permit who has the token and no more than the limit; refuse with a status nginx cannot."""
    if environ.get("HTTP_X_UPLOAD_REFUSED") and not environ.get("HTTP_X_ORIGINAL_EXPECT"):
        while environ["wsgi.input"].read(64 * 1024):
            pass  # as the hub does: a client that did not wait is read to its end
    if environ.get("HTTP_AUTHORIZATION") != "Bearer good":
        return _answer(start_response, "401 Unauthorized", {"error": "no token"}, "Unauthenticated")
    if int(environ.get("HTTP_X_ORIGINAL_LENGTH") or 0) > UPLOAD_LIMIT_BYTES:
        return _answer(start_response, "507 Insufficient Storage", {"error": "full"}, "StorageFull")
    if environ.get("HTTP_X_UPLOAD_REFUSED"):
        return _answer(start_response, "503 Service Unavailable", {"error": "again"}, "Unavailable")
    asked = {name: environ.get(name) for name in ("HTTP_X_ORIGINAL_URI", "HTTP_X_ORIGINAL_METHOD")}
    Path(os.environ["DATA_DIR"], "asked.json").write_text(json.dumps(asked))
    start_response("204 No Content", [])
    return []


def _download(name: str, start_response: Start) -> Iterable[bytes]:
    start_response(
        "200 OK",
        [
            ("X-Accel-Redirect", f"/-/internal/objects/{name}"),
            ("Content-Type", "application/octet-stream"),
            ("Content-Disposition", 'attachment; filename="model.bin"'),
            ("ETag", '"abc"'),
            ("X-Repo-Commit", "0" * 40),
            ("X-Content-Type-Options", "nosniff"),
            ("Content-Security-Policy", "default-src 'none'; sandbox"),
        ],
    )
    return []


def _echo(environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
    headers = {name: value for name, value in environ.items() if name.startswith("HTTP_")}
    spooled = environ.get("HTTP_X_BODY_FILE")
    body = {
        "raw_uri": environ["RAW_URI"],
        "method": environ["REQUEST_METHOD"],
        "headers": headers,
        "body_bytes": len(environ["wsgi.input"].read()),
        "spooled_bytes": Path(spooled).stat().st_size if spooled else None,
        "filler": "x" * 2000,
    }
    return _answer(start_response, "200 OK", body)


def _answer(
    start_response: Start, status: str, body: dict[str, Any], code: str = ""
) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "application/json"), ("X-Error-Code", code)])
    return [json.dumps(body).encode()]


def manage(words: list[str]) -> None:
    """A management command: what the test says."""
    exec(os.environ.get("STANDIN_MIGRATE", "pass"))  # noqa: S102


def main() -> None:
    """Supervise this application as the hub is supervised, until a signal comes."""
    from hub.supervisor import Application, Services, SupervisorError, supervise

    here = Path(__file__).resolve()
    standin = Application(
        wsgi="tests.supervisor.standin:application",
        celery=os.environ.get("STANDIN_CELERY", "tests.supervisor.standin:app"),
        manage="tests.supervisor.standin:manage",
        root=here.parents[2],
    )
    try:
        supervise(Services.of_environment(), standin)
    except SupervisorError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
