"""A pytest plugin: real Postgres and Valkey of this test run's own, before Django reads settings.

Loaded by `-p tests.environment`, which pytest imports before pytest-django. The controller of
pytest-xdist starts both; its workers inherit the environment.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

# Before anything imports numpy: workers of pytest share the cores.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
# What one run compiles serves the next one, and the hubs that tests start.
os.environ["NUMBA_CACHE_DIR"] = str(Path(__file__).parents[1] / ".cache" / "numba")

from hub.supervisor import throwaway_cluster, throwaway_valkey

_stack = ExitStack()


def _start() -> None:
    folder = Path(_stack.enter_context(tempfile.TemporaryDirectory(prefix="wb-")))
    os.environ["DATABASE_URL"] = _stack.enter_context(throwaway_cluster(folder / "pg"))
    valkey = _stack.enter_context(throwaway_valkey(folder / "valkey"))
    os.environ["BROKER_URL"], os.environ["CACHE_URL"] = valkey.broker_url, valkey.cache_url
    os.environ["DATA_DIR"] = str(folder / "data")
    os.environ["SECRET_KEY"] = "only for tests, never for a hub of anybody"
    os.environ["FREE_DISK_RESERVE_BYTES"] = "1"
    os.environ["STATICFILES_STORAGE"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
    os.environ["LOG_LEVEL"] = "WARNING"


if "PYTEST_XDIST_WORKER" not in os.environ:
    _start()
    atexit.register(_stack.close)
else:
    # Each worker keeps its own repositories, objects, runs and cache, as it has its own database.
    _worker = os.environ["PYTEST_XDIST_WORKER"]
    os.environ["DATA_DIR"] += f"-{_worker}"
    os.environ["CACHE_URL"] = os.environ["CACHE_URL"].replace("db=1", f"db={2 + int(_worker[2:])}")
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright runs a loop in the tests' thread
