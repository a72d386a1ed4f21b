"""Several people at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection

from hub.errors import HubError

PATIENCE_SECONDS = 60


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each act returned, or which refusal it met, when all begin together.

    Any other error is raised here. Each thread ends its own session with the database, also after
    an error: one left open would keep the test's database from being dropped.
    """
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        barrier.wait(PATIENCE_SECONDS)
        try:
            return act()
        except HubError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))
