"""The inbox in the browser, mentions as links, the menu of what to hear, home and profiles."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from hub.actions import collections, inbox, likes
from hub.jobs import heat, telling
from hub.models import (
    Access,
    Event,
    Listening,
    Notification,
    Repository,
    Subscription,
    User,
    Visibility,
)
from hub.policies import Actor
from hub.rendering import mentioned_in, plain_with_mentions, render_markdown
from reviews.actions import discussions, timeline
from tests.factories import make_member, make_organization, make_repository, make_user
from tests.reviews.factories import make_pull_request

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> User:
    return make_user("ann")


@pytest.fixture
def model() -> Repository:
    return make_repository(make_organization("acme"), name="model")


def text(response: Any) -> str:
    return response.content.decode()


def tell(ann: User, model: Repository, count: int = 1, *, said: str = "@ann") -> list[int]:
    """So many threads in which ben names ann; the keys of what she was told."""
    ben = User.objects.filter(username="ben").first() or make_user("ben")
    for number in range(count):
        discussions.open_discussion(model, Actor(ben), title=f"Thing {number}", description=said)
    telling.tell_pending()
    return list(Notification.objects.filter(user=ann).order_by("pk").values_list("pk", flat=True))


class TestTheInbox:
    def test_it_is_empty_at_first(self, ann, client_for):
        assert "Nothing waits for you" in text(client_for(ann).get("/-/inbox"))
        assert client_for().get("/-/inbox")["Location"].startswith("/-/sign-in")

    def test_read_done_and_all(self, ann, model, client_for):
        one, two, three = tell(ann, model, 3)
        browser = client_for(ann)
        page = text(browser.get("/"))
        assert "3 unread" in page and "Thing 2" in page
        assert browser.get(f"/-/inbox/{one}")["Location"] == "/acme/model/discussions/1"
        assert "2 unread" in text(browser.get("/-/inbox/count"))
        browser.post("/-/inbox", {"read": two})
        browser.post("/-/inbox?view=all", {"done": one})
        shown = text(browser.get("/-/inbox?view=all"))
        assert "Thing 0" not in shown and "Thing 1" in shown and "Thing 2" in shown
        unread = text(browser.get("/-/inbox"))
        assert "Thing 1" not in unread and "Thing 2" in unread
        seen_at = timezone.now().isoformat()
        tell(ann, model)
        browser.post("/-/inbox", {"all": "done", "until": seen_at})
        states = dict(Notification.objects.values_list("pk", "state"))
        assert states[three] == "done" and sorted(states.values()).count("unread") == 1
        assert "Thing 2" in text(browser.get("/-/inbox?view=done"))

    @pytest.mark.parametrize(
        ("address", "shown"),
        [
            ("", True),
            ("?view=all", True),
            ("?view=mentions", True),
            ("?view=reviews", False),
            ("?view=mine", False),
            ("?view=done", False),
            ("?repo=acme/model", True),
            ("?repo=acme/other", False),
        ],
    )
    def test_filters(self, ann, model, client_for, address, shown):
        tell(ann, model)
        assert ("Thing 0" in text(client_for(ann).get(f"/-/inbox{address}"))) is shown

    def test_an_unknown_filter_is_no_page(self, ann, client_for):
        assert client_for(ann).get("/-/inbox?view=nonsense").status_code == 404

    def test_whoever_opens_the_thread_has_read_it(self, ann, model, client_for):
        tell(ann, model)
        client_for(make_user()).get("/acme/model/discussions/1")
        assert Notification.objects.unread().count() == 1
        client_for(ann).get("/acme/model/discussions/1")
        assert not Notification.objects.unread().exists()

    def test_muting_a_thread_from_its_row(self, ann, model, client_for):
        (key,) = tell(ann, model)
        client_for(ann).post("/-/inbox", {"mute": key})
        assert Subscription.objects.get().level == Listening.MUTED
        thread = model.discussions.get()
        thread.repository = model
        timeline.add_comment(thread, Actor(User.objects.get(username="ben")), "@ann again")
        telling.tell_pending()
        assert not Notification.objects.unread().exists()

    def test_others_rows_are_nobodys_business(self, ann, model, client_for):
        (key,) = tell(ann, model)
        eve = client_for(make_user("eve"))
        assert eve.get(f"/-/inbox/{key}").status_code == 404
        for form in (
            {"done": key},
            {"mute": key},
            {"all": "done"},
            {"done": "x"},
            {"read": "9" * 30},
        ):
            eve.post("/-/inbox", form)
        assert Notification.objects.get().state == "unread"
        assert not Subscription.objects.exists()

    def test_its_queries_do_not_grow(self, ann, model, client_for, django_assert_num_queries):
        tell(ann, model, 2)
        browser = client_for(ann)
        browser.get("/-/inbox")
        with django_assert_num_queries(5):  # person, how many, rows, places, bell
            browser.get("/-/inbox")
        tell(ann, model, 20)
        with django_assert_num_queries(5):
            browser.get("/-/inbox")


class TestTheMenu:
    @pytest.mark.parametrize(
        ("thread", "level", "kept"),
        [
            ("", "watching", True),
            ("", "muted", True),
            ("discussions/1", "muted", True),
            ("runs/3", "watching", True),
            ("", "everything", False),
            ("settings/access", "muted", False),
            ("discussions/0", "muted", False),
            ("discussions/1/../..", "muted", False),
        ],
    )
    def test_what_may_be_chosen(self, ann, model, client_for, thread, level, kept):
        form = {"thread": thread, "level": level}
        client_for(ann).post("/acme/model/listen", form)
        assert Subscription.objects.exists() is kept
        if kept:
            client_for(ann).post("/acme/model/listen", form | {"level": ""})
            assert not Subscription.objects.exists()

    def test_it_is_on_the_pages(self, ann, client_for):
        row = make_pull_request(author=ann)
        url = row.repository.get_absolute_url()
        browser = client_for(ann)
        assert "What you hear of this" in text(browser.get(url))
        assert "What you hear of this" not in text(client_for().get(url))
        browser.post(f"{url}/listen", {"thread": f"discussions/{row.number}", "level": "muted"})
        assert "Muted" in text(browser.get(row.get_absolute_url()))
        part = browser.post(f"{url}/listen", {"level": "watching"}, headers={"hx-request": "true"})
        assert "Watching" in text(part) and "<html" not in text(part)

    def test_a_hidden_repository_is_not_listened_to(self, ann, client_for):
        hidden = make_repository(visibility=Visibility.PRIVATE)
        path = f"{hidden.get_absolute_url()}/listen"
        assert client_for(ann).post(path, {"level": "watching"}).status_code == 404


class TestMentions:
    @pytest.mark.parametrize(
        ("said", "names"),
        [
            ("@ann and (@Ben), @c-d.", ["ann", "Ben", "c-d"]),
            ("mail a@ann.org, /@ann, x@ann, @-ann", []),
            ("`@ann` and [@ben](/x) <a href='/'>@cem</a>\n\n```\n@dan\n```", []),
            ("# @ann\n\n- @ben\n\n> @cem", ["ann", "ben", "cem"]),
        ],
    )
    def test_who_is_named(self, said, names):
        assert list(mentioned_in(said)) == names

    def test_names_of_people_become_links(self):
        html = render_markdown("Hi @Ann & @nobody `@ann` <b>@ann</b>", people={"ann"})
        assert html.count('href="/Ann"') == 1 and html.count('href="/ann"') == 1
        assert 'href="/nobody"' not in html and "<code>@ann</code>" in html

    def test_a_text_of_nothing_but_names_links_some(self):
        assert render_markdown("@ann " * 1000, people={"ann"}).count("<a ") == 200

    def test_no_name_breaks_out_of_its_link(self):
        nasty = '@ann"><script>alert(1)</script> @ann<img onerror=x>'
        for html in (
            render_markdown(nasty, people={"ann"}),
            plain_with_mentions(nasty, {"ann"}),
        ):
            assert "<script" not in html and "<img onerror" not in html

    def test_comments_link_people_with_one_query(
        self, ann, model, client_for, django_assert_max_num_queries
    ):
        thread = discussions.open_discussion(model, Actor(ann), title="Q", description="@ann")
        path = thread.get_absolute_url()
        browser = client_for()
        assert '<a href="/ann"' in text(browser.get(path))
        for number in range(10):
            person = make_user(f"p{number}")
            timeline.add_comment(thread, Actor(person), f"@p{number} and @none")
        with django_assert_max_num_queries(9):
            shown = text(browser.get(path))
        assert '<a href="/p9"' in shown and '"/none"' not in shown

    def test_cards_link_people(self, ann, client_for):
        card = {"README.md": b"---\nlicense: mit\n---\nBy @ann"}
        repository = make_repository(files=card)
        assert '<a href="/ann"' in text(client_for().get(repository.get_absolute_url()))

    def test_names_for_the_comment_box(self, ann, client_for):
        make_user("anna", full_name="Anna B")
        make_user("andy", is_active=False)
        found = json.loads(text(client_for(ann).get("/-/people?q=AN")))
        assert [each["name"] for each in found] == ["ann", "anna"]
        assert json.loads(text(client_for(ann).get("/-/people?q="))) == []


class TestHome:
    @pytest.fixture(autouse=True)
    def nothing_kept(self) -> None:
        cache.clear()

    def test_what_needs_me(self, ann, model, client_for):
        tell(ann, model)
        make_pull_request(model, author=ann)
        shown = text(client_for(ann).get("/"))
        assert "Thing 0" in shown and "you proposed it" in shown
        assert "Nothing waits for you" in text(client_for(make_user()).get("/"))

    def test_whom_i_follow_is_what_i_see(self, ann, model, client_for):
        ben = make_user("ben")
        other = make_repository(name="other")
        Event.objects.create(repository=model, actor=ben, kind="repository.created")
        Event.objects.create(repository=other, actor=make_user("eve"), kind="repository.created")
        browser = client_for(ann)
        assert "acme/model" in text(browser.get("/")) and "eve" in text(browser.get("/"))
        likes.set_follow(ben.namespace, Actor(ann), following=True)
        shown = text(browser.get("/")).partition('id="activity"')[2].partition("</section>")[0]
        assert "acme/model" in shown and "eve" not in shown
        inbox.listen(other, Actor(ann), "", Listening.WATCHING)
        assert "eve" in text(browser.get("/"))

    def test_nothing_hidden_is_in_a_feed(self, ann, client_for):
        acme = make_organization("acme")
        member = make_member(acme, access=Access.READ, username="member")
        hidden = make_repository(acme, name="closed-one", visibility=Visibility.PRIVATE)
        Event.objects.create(repository=hidden, actor=member, kind="repository.created")
        likes.set_follow(member.namespace, Actor(ann), following=True)
        for path in ("/", "/member?view=activity", "/acme?view=activity", "/member"):
            assert "closed-one" not in text(client_for(ann).get(path)), path
            assert "1 thing done" not in text(client_for(ann).get(path))
        assert "acme/closed-one" in text(client_for(member).get("/member?view=activity"))
        assert "1 thing done" in text(client_for(member).get("/member"))

    def test_a_collection_that_turned_private_is_not_named(self, ann, model, client_for):
        made = collections.create_collection(Actor(ann), "ann", title="Good ones")
        collections.add_item(made, Actor(ann), model)
        assert "Good ones" in text(client_for().get("/ann?view=activity"))
        collections.update_collection(made, Actor(ann), private=True)
        assert "Good ones" not in text(client_for().get("/ann?view=activity"))

    def test_a_like_is_told_as_long_as_it_holds(self, ann, model, client_for):
        for _ in range(2):
            likes.set_like(model, Actor(ann), liked=True)
        assert Event.objects.filter(kind="repository.liked").count() == 1
        assert "gave a like to" in text(client_for().get("/ann?view=activity"))
        likes.set_like(model, Actor(ann), liked=False)
        assert not Event.objects.filter(kind="repository.liked").exists()

    def test_pages_of_a_feed_hold_every_line_once(self, ann, model, client_for):
        for number in range(45):
            Event.objects.create(
                repository=model,
                actor=ann,
                kind="revision.pushed",
                data={"ref": f"refs/tags/v{number}."},
            )
        path, found = "/ann?view=activity", []
        while path:
            shown = text(client_for().get(path))
            found += [n for n in range(45) if f"<b>v{n}.</b>" in shown]
            _, rel, rest = shown.partition('rel="next" href="')
            path = "/ann" + rest.partition('"')[0].replace("&amp;", "&") if rel else ""
        assert sorted(found) == list(range(45))

    def test_what_many_like_lately_comes_first(self, model, client_for):
        old = make_repository(name="old")
        secret = make_repository(name="secret", visibility=Visibility.PRIVATE)
        for row in (model, secret):
            likes.set_like(row, Actor(make_user()), liked=True)
        heat.count()
        shown = text(client_for().get("/")).partition("Trending models")[2]
        assert shown.index("acme/model") < shown.index(old.repo_id)
        assert "secret" not in shown

    def test_its_queries_do_not_grow(self, ann, model, client_for, django_assert_max_num_queries):
        likes.set_follow(model.namespace, Actor(ann), following=True)
        inbox.listen(model, Actor(ann), "", Listening.WATCHING)
        browser = client_for(ann)
        for _ in range(2):
            tell(ann, model, 4)
            make_pull_request(model, author=ann)
            likes.set_like(make_repository(), Actor(ann), liked=True)
            browser.get("/")
            with django_assert_max_num_queries(14):
                browser.get("/")
            with django_assert_max_num_queries(4):
                client_for().get("/")
