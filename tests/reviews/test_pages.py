"""The pages of discussions, through the browser's door."""

from __future__ import annotations

import pytest
from django.test import Client

from hub.models import BranchProtection, Visibility
from reviews.models import Discussion
from tests.factories import make_repository, make_user
from tests.reviews.factories import make_maintainer, make_pull_request

pytestmark = pytest.mark.django_db


def test_the_pull_request_page_shows_every_unmet_requirement(client_for):
    pull_request = make_pull_request(draft=True)
    BranchProtection.objects.create(
        repository=pull_request.repository, branch="main", require_gate=False
    )
    maintainer = make_maintainer(pull_request.repository)
    page = client_for(maintainer).get(pull_request.get_absolute_url()).content.decode()
    assert "This is a draft." in page
    assert "0 of 1 approval" in page
    assert "disabled" in page.partition("merge-box")[2].partition("</section>")[0]


def test_approving_and_merging_by_the_forms_of_the_page(client_for):
    pull_request = make_pull_request()
    url = pull_request.get_absolute_url()
    BranchProtection.objects.create(
        repository=pull_request.repository, branch="main", require_gate=False
    )
    maintainer = client_for(make_maintainer(pull_request.repository))
    form = {"head": pull_request.head_oid, "verdict": "approve"}
    answer = maintainer.post(f"{url}/review", form, follow=True)
    assert "Review recorded" in answer.content.decode()
    base = pull_request.repository.store().resolve("main")
    answer = maintainer.post(
        f"{url}/merge", {"head": pull_request.head_oid, "base": base}, follow=True
    )
    assert "Merged into main" in answer.content.decode()
    assert Discussion.objects.get(pk=pull_request.pk).status == "merged"


def test_files_commits_and_the_list_are_shown(client_for):
    pull_request = make_pull_request(files={"recipes/good.yaml": b"r: 8\n"})
    url, client = pull_request.get_absolute_url(), client_for()
    assert "recipes/good.yaml" in client.get(f"{url}/files").content.decode()
    assert "Propose" in client.get(f"{url}/commits").content.decode()
    listing = client.get(f"{pull_request.repository.get_absolute_url()}/discussions")
    assert "Raise the rank" in listing.content.decode()


def test_a_comment_is_shown_without_its_script(client_for):
    pull_request = make_pull_request()
    url = pull_request.get_absolute_url()
    client = client_for(make_user())
    client.post(f"{url}/comment", {"comment": "fine <script>alert(1)</script> **work**"})
    page = client.get(url).content.decode()
    assert "<strong>work</strong>" in page
    assert "alert(1)" not in page


def test_a_hidden_repository_and_a_missing_one_read_alike(client_for):
    pull_request = make_pull_request(make_repository(visibility=Visibility.PRIVATE))
    client: Client = client_for(make_user())
    hidden = client.get(pull_request.get_absolute_url())
    missing = client.get("/nobody/nothing/discussions/1")
    assert hidden.status_code == missing.status_code == 404


def test_the_page_asks_a_fixed_number_of_queries(client_for, django_assert_max_num_queries):
    pull_request = make_pull_request()
    client = client_for(make_maintainer(pull_request.repository))
    client.get(pull_request.get_absolute_url())
    with django_assert_max_num_queries(24):
        client.get(pull_request.get_absolute_url())
