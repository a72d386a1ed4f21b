"""Nothing is offered that ends in “No access”: gated repositories, and the menus of settings."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hub.jobs.refresh import refresh
from hub.models import Access, AccessRequest, Repository, RequestStatus
from tests.factories import make_member, make_repository, make_user

pytestmark = pytest.mark.django_db
CONFIG = b'{"model_type": "llama"}'
OFFERED = ("/edit/main/README.md", "/metadata/main", "/finetune", "/evaluate", "/try", "/duplicate")


@pytest.fixture
def gated() -> Repository:
    return model(gated="manual")


def model(**more: Any) -> Repository:
    """One that a runner could load."""
    repository = make_repository(files={"README.md": b"# Card\n", "config.json": CONFIG}, **more)
    refresh(repository.pk)
    repository.refresh_from_db()
    return repository


def offers(page: str, repository: Repository) -> set[str]:
    """Which of the addresses the page links, with those behind a sign-in."""
    url = repository.get_absolute_url()
    linked = set(re.findall(r'href="([^"?]+)', page))
    return {path for path in OFFERED if url + path in linked}


def test_an_outsider_of_a_gated_repository_is_offered_only_what_they_may(client_for, gated):
    person = make_user()
    client, url = client_for(person), gated.get_absolute_url()
    page = client.get(url).content.decode()
    assert offers(page, gated) == set()
    assert "For people who may read its files." in page
    assert "/finetune" not in client.get(f"{url}/runs").content.decode()
    assert "/merge-models" not in client.get(f"{url}/lineage").content.decode()


def test_who_was_let_in_and_members_are_offered_everything_and_may(client_for, gated):
    accepted = make_user()
    AccessRequest.objects.create(
        repository=gated, user=accepted, status=RequestStatus.ACCEPTED, fields={}
    )
    for person in (accepted, make_member(gated.namespace, access=Access.READ)):
        client, url = client_for(person), gated.get_absolute_url()
        found = offers(client.get(url).content.decode(), gated)
        assert found >= {"/edit/main/README.md", "/finetune", "/evaluate", "/duplicate"}
        assert {path: client.get(url + path).status_code for path in found} == dict.fromkeys(
            found, 200
        )


def test_everyone_is_offered_what_a_public_repository_takes(client_for):
    repository = model()
    page = client_for(make_user()).get(repository.get_absolute_url()).content.decode()
    assert offers(page, repository) >= {"/finetune", "/evaluate", "/duplicate"}


@pytest.mark.parametrize(("address", "name"), [("gate", "Gate"), ("access", "Gated files")])
@pytest.mark.parametrize("is_gated", [True, False])
def test_each_page_of_the_settings_has_the_menu_and_a_tab_that_is_marked(
    client_for, address, name, is_gated
):
    repository = make_repository(gated="manual" if is_gated else "")
    admin = make_member(repository.namespace, access=Access.ADMIN)
    page = client_for(admin).get(f"{repository.get_absolute_url()}/settings/{address}")
    text = page.content.decode()
    menu = text.partition('class="side-nav"')[2].partition("</nav>")[0]
    current = re.search(r'aria-current="page">.*?</svg>([^<]+)</a>', menu)
    assert current is not None and current[1] == name
    tabs = text.partition('class="tabs"')[2].partition("</nav>")[0]
    assert tabs.count('aria-current="page"') == 1


def test_a_writer_has_the_gate_without_a_menu_they_may_not_use(client_for):
    repository = make_repository()
    writer = make_member(repository.namespace, access=Access.WRITE)
    page = client_for(writer).get(f"{repository.get_absolute_url()}/settings/gate")
    assert page.status_code == 200
    assert "side-nav" not in page.content.decode()
