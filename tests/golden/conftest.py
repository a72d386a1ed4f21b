"""One hub for the whole golden path; people of every client on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from tests.golden.browser import PASSWORD
from tests.golden.clients import NEW, NO_XET, OLD, HubClient
from tests.golden.person import Person
from tests.server import HubServer, running_hub

# torch, transformers and datasets are not part of the older client's environment, and its
# `RepoCard.validate` asks the public site whatever HF_ENDPOINT says.
_NEW_ONLY = {14, 15, 16, 17}


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/golden/" in str(item.path):
            item.add_marker(pytest.mark.stack)
            item.add_marker(pytest.mark.xdist_group("golden"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every call by the installed client; as variants by an older one, and 9-31 without Xet."""
    if "client" not in metafunc.fixturenames:
        return
    found = re.match(r"test_call_(\d+)", metafunc.function.__name__)
    number = int(found[1]) if found else 0
    marked = metafunc.function.pytestmark if hasattr(metafunc.function, "pytestmark") else []
    new_only = number in _NEW_ONLY or any(mark.name == "new_client" for mark in marked)
    clients = [NEW] + [OLD] * (not new_only) + [NO_XET] * (9 <= number <= 31)
    parameters = [
        pytest.param(one, id=one.name, marks=[] if one is NEW else [pytest.mark.variant])
        for one in clients
    ]
    metafunc.parametrize("client", parameters, indirect=True, scope="session")


@pytest.fixture(scope="session")
def client(request: pytest.FixtureRequest) -> HubClient:
    found: HubClient = request.param
    assert found.interpreter.exists(), f"{found.interpreter} is missing: run `make setup-tests`"
    return found


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    settings = {
        # Parts from 6 MB on, where a real hub asks for them above 5 GiB; a receiver next door.
        "MULTIPART_ABOVE_BYTES": "6000000",
        "MULTIPART_PART_BYTES": "5000000",
        "OUTGOING_ALLOWED": "127.0.0.1/32",
    }
    with running_hub(tmp_path_factory.mktemp("golden") / "data", **settings) as server:
        yield server


@pytest.fixture(scope="session")
def newcomer(
    hub: HubServer, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[HubClient, str], Person]:
    """A person of a name, with a token that may write and a fresh computer."""

    def come(client: HubClient, name: str) -> Person:
        home = tmp_path_factory.mktemp(name)
        return Person(hub, client, name, hub.person(name, password=PASSWORD), home)

    return come


@pytest.fixture(scope="session")
def ann(client: HubClient, newcomer: Callable[[HubClient, str], Person]) -> Person:
    """Who the calls are made by."""
    return newcomer(client, f"ann-{client.name}")


@pytest.fixture(scope="session")
def ben(client: HubClient, newcomer: Callable[[HubClient, str], Person]) -> Person:
    """Somebody without rights on what Ann has."""
    return newcomer(client, f"ben-{client.name}")


@pytest.fixture(scope="session")
def team(ann: Person) -> str:
    """An organisation of Ann's."""
    name = f"team-{ann.client.name}"
    ann.server.manage("ensure_org", name, "--member", f"{ann.name}:admin")
    return name
