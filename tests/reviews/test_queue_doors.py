"""The doors of the merge queue: the merge box, its page, the API."""

from __future__ import annotations

import pytest

from hub.models import Access
from reviews.actions.weight_merges import choice_of
from reviews.models import QueueEntry
from tests.factories import make_member
from tests.reviews.factories import make_maintainer, push
from tests.reviews.queueing import outcome, proposals, queued, work
from tests.reviews.test_weight_merges import proposal  # noqa: F401
from tests.reviews.test_weights_comparing import model  # noqa: F401

pytestmark = pytest.mark.usefixtures("transactional_db")


def test_the_box_offers_the_queue_where_somebody_is_ahead_and_shows_the_place(client_for):
    repository, rows = proposals(3)
    person = make_maintainer(repository)
    client, url = client_for(person), rows[1].get_absolute_url()
    assert "Merge when ready" not in client.get(url).content.decode(), "it may merge at once"
    queued(rows[0])
    page = client.get(url).content.decode()
    assert "Merge when ready" in page and "1 is ahead" in page
    answer = client.post(f"{url}/queue", {"head": rows[1].head_oid}, follow=True)
    page = answer.content.decode()
    assert "2 of 2 in the" in page and f"Behind #{rows[0].number}." in page
    assert f"{url}/checklist" in page, "it looks again by itself"
    assert "put this into the merge queue" in page
    assert "Leave the queue" in page
    stranger = client_for().get(url).content.decode()
    assert "2 of 2 in the" in stranger and "Leave the queue" not in stranger
    page = client.post(f"{url}/queue/leave", follow=True).content.decode()
    assert "took this out of the merge queue" in page and "Merge when ready" in page


def test_the_box_says_why_this_version_was_ejected(client_for):
    repository, (row,) = proposals(1)
    entry = queued(row, gone := make_maintainer(repository))
    gone.memberships.filter(namespace=repository.namespace).delete()
    work()
    assert outcome(entry) == ("ejected", "no_access")
    client = client_for(make_maintainer(repository))
    told = f"{gone.username}, who queued it, may no longer merge here."
    assert (
        f"Ejected from the merge queue: {told}"
        in client.get(row.get_absolute_url()).content.decode()
    )
    assert told in client.get(f"{repository.get_absolute_url()}/queue").content.decode()
    push(row, {"more.txt": b"x\n"})
    page = client.get(row.get_absolute_url()).content.decode()
    assert "Ejected from the merge queue:" not in page, "of another version"
    assert "which ejected it:" in page and told in page


def test_the_box_takes_the_way_of_merging_weights(proposal, client_for):  # noqa: F811
    client, url = client_for(make_maintainer(proposal.repository)), proposal.get_absolute_url()
    page = client.get(url).content.decode()
    assert "main has moved the same weights" in page and 'id="queue-rules"' in page
    wrong = client.post(f"{url}/queue", {"method": "ties", "density": "7"}, follow=True)
    assert "density" in wrong.content.decode() and not QueueEntry.objects.exists()
    client.post(f"{url}/queue", {"head": proposal.head_oid, "method": "ties", "share": "0.5"})
    entry = QueueEntry.objects.get()
    assert entry.weights == choice_of({"method": "ties", "share": "0.5"})
    assert "Weights by TIES" in client.get(url).content.decode()
    work()
    assert "Its weights are being merged." in client.get(url).content.decode()


def test_the_page_of_a_queue_costs_a_fixed_number_of_queries(
    client_for, django_assert_max_num_queries
):
    repository, rows = proposals(6)
    for row in rows:
        queued(row)
    url = f"{repository.get_absolute_url()}/queue?branch=main"
    client = client_for(make_maintainer(repository))
    client.get(url)
    with django_assert_max_num_queries(24):
        page = client.get(url).content.decode()
    assert page.index(f"#{rows[0].number}<") < page.index(f"Behind #{rows[4].number}.")
    listed = client.get(f"{repository.get_absolute_url()}/discussions").content.decode()
    assert f'href="{repository.get_absolute_url()}/queue"' in listed


def test_the_api_joins_leaves_and_tells(api_for):
    repository, rows = proposals(2)
    person = make_maintainer(repository)
    api = api_for(person)
    at = [f"/api/models/{repository.repo_id}/discussions/{row.number}/queue" for row in rows]
    body = {"expectedHead": rows[0].head_oid, "weights": {"method": "slerp", "share": 0}}
    joined = api.post(at[0], body, content_type="application/json").json()
    assert (joined["position"], joined["state"], joined["by"]) == (
        1,
        "waiting",
        {"name": person.username},
    )
    assert joined["weights"]["parameters"]["t"] == 0
    stale = api.post(at[1], {"expectedHead": "0" * 40}, content_type="application/json")
    assert stale.status_code == 412
    wrong = api.post(at[1], {"weights": {"method": "magic"}}, content_type="application/json")
    assert wrong.status_code == 400
    assert api.post(at[1], {}, content_type="application/json").json()["position"] == 2
    assert api.delete(at[0]).status_code == 204
    assert api.delete(at[0]).status_code == 404
    told = api.get(f"/api/models/{repository.repo_id}/queue").json()
    assert [(one["num"], one["position"]) for one in told["entries"]] == [(rows[1].number, 1)]
    (gone,) = told["settled"]
    assert (gone["num"], gone["state"], gone["reason"]["code"]) == (
        rows[0].number,
        "withdrawn",
        "left",
    )
    reader = api_for(make_member(repository.namespace, access=Access.READ))
    assert reader.post(at[0], {}, content_type="application/json").status_code == 403
    assert reader.delete(at[1]).status_code == 403
    assert reader.get(f"/api/models/{repository.repo_id}/queue").status_code == 200
