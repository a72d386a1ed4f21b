"""What arrived at a hub, from the log its front proxy writes."""

from __future__ import annotations

import json
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.server import HubServer


@dataclass(frozen=True)
class Requests:
    """Requests in the order they ended."""

    lines: list[dict[str, Any]]

    def to(self, part: str) -> list[tuple[str, int]]:
        """Method and status of each whose address holds `part`."""
        return [(one["method"], one["status"]) for one in self.lines if part in one["path"]]

    @property
    def contents(self) -> list[str]:
        """Addresses that took bytes of large files. A shard of Xet only names what is there."""
        return self._sent("/xorbs/", "/-/lfs/")

    @property
    def commits(self) -> list[str]:
        return self._sent("/commit/")

    def _sent(self, *marks: str) -> list[str]:
        sent = [one["path"] for one in self.lines if one["method"] in ("PUT", "POST")]
        return [path for path in sent if any(mark in path for mark in marks)]


@contextmanager
def watching(server: HubServer) -> Iterator[Requests]:
    """Everything that arrives during the block; read it after the block."""
    log = server.data_dir / "log" / "access.log"
    _wait_for_quiet(server, log)
    start = log.stat().st_size
    seen = Requests([])
    yield seen
    mark = _wait_for_quiet(server, log)
    with log.open() as file:
        file.seek(start)
        lines = [json.loads(line) for line in file]
    seen.lines.extend(one for one in lines if one["id"] != mark)


def _wait_for_quiet(server: HubServer, log: Path) -> str:
    """The log is written after the answer: send a request of our own and wait for its line."""
    mark = uuid.uuid4().hex
    request = urllib.request.Request(  # noqa: S310
        f"{server.url}/healthz", headers={"X-Request-Id": mark}
    )
    urllib.request.urlopen(request, timeout=20).close()  # noqa: S310
    while mark not in log.read_text():
        time.sleep(0.02)
    return mark
