"""Libraries that stand on the client, each in a process that is told the hub's address only."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.golden.clients import NEW
from tests.golden.person import Person
from tests.server import HubServer

TINY = Path(__file__).resolve().parents[1] / "data" / "tiny-shakespeare-llama"


@pytest.fixture(scope="session")
def lib(hub_server: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Person:
    token = hub_server.person("lib")
    return Person(hub_server, NEW, "lib", token, tmp_path_factory.mktemp("lib"))


@pytest.fixture(scope="session")
def tiny(lib: Person) -> Path:
    """A small language model on this person's computer."""
    return shutil.copytree(TINY, lib.home / "tiny")


@pytest.fixture(scope="session")
def python(lib: Person) -> Callable[..., Any]:
    """What a script says as JSON on its last line."""

    def run(script: str, *arguments: object, **environment: str) -> Any:
        return json.loads(lib.python(script, *arguments, **environment))

    return run
