"""The blind desk: nothing tells the sides apart, and judgements count for exactly one change."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.core import signing
from django.test import Client
from django.utils import timezone

from hub.extensions import RequirementState
from hub.models import Access, BranchProtection, Membership, Repository, Visibility
from reviews.changes import change_of
from reviews.jobs.pushes import record_push
from reviews.models import Discussion, DiscussionStatus
from tests.factories import (
    actor,
    commit_files,
    make_member,
    make_organization,
    make_token,
    make_user,
)
from tests.races import at_once
from tests.reviews.factories import make_pull_request, push
from tests.training.acting import TRANSLATION, Act, Stage, chooses, questions, set_stage, translates
from tests.training.factories import GATE, broken_weights, commit, large, make_model
from training.actions.blind import (
    blind_requirements,
    candidate_is_first,
    desk_of,
    look_at,
)
from training.actions.blind_votes import SALT
from training.actions.gates import start_gate
from training.jobs.execute import execute
from training.models import BlindVote
from training.specs.gate import GATE_PATH, BlindRule, parse_reference
from training.statistics.preference import Vote
from training.statistics.verdicts import Verdict

pytestmark = pytest.mark.django_db
PROMPTS = 60
OPENINGS = ("the king", "my lord", "our men", "the duke", "her grace", "the queen", "his wife",
            "your son", "this city", "that day", "the night", "all Rome")  # fmt: skip
GOOD, BAD = "the quick brown fox", "mud mud mud mud"
Says = Callable[[str, dict[str, Any]], str]


def says(side: str, doc: dict[str, Any]) -> str:
    """The base and the candidate, told apart by words that stand nowhere else."""
    word = "alder" if side == "base" else "birch"
    return f"{word} {doc['number']}"


def set_desk(
    *, votes: int = 40, margin: float = 0.1, limit: int = 50, answers: Says = says, **more: Any
) -> Stage:
    """A weighed pull request whose rule asks for a blind review of what `answers` says."""
    namespace = make_organization()
    rule = (
        f"blind: {{benchmark: '{namespace.slug}/data:prompts.yaml', votes: {votes}, "
        f"margin: {margin}, limit: {limit}}}\n"
    )
    guard = Act("guard", questions(100), chooses())
    stage = set_stage(guard, gate=rule, namespace=namespace, **more)
    rows = [
        {"number": n, "question": f"Say what {n} is.", "answer": "no matter"}
        for n in range(PROMPTS)
    ]
    prompts = Act("prompts", rows, translates(answers), text=TRANSLATION)
    commit_files(stage.data, prompts.files())
    # In the run the prompts are called blind, whatever their file is called.
    stage.acts.append(Act("blind", rows, translates(answers)))
    stage.play()
    return stage


@pytest.fixture
def stage() -> Stage:
    return set_desk()


@pytest.fixture
def second(stage: Stage) -> Any:
    return make_member(stage.model.namespace, access=Access.WRITE)


def line(stage: Stage) -> Any:
    (found,) = blind_requirements(stage.model, change_of(stage.pull_request))
    return found


def blind_api(stage: Stage) -> str:
    return f"/{stage.model.api_path}/discussions/{stage.pull_request.number}/blind"


def look(client: Any, stage: Stage) -> dict[str, Any]:
    response = client.get(blind_api(stage))
    assert response.status_code == 200, response.content
    found: dict[str, Any] = response.json()
    return found


def judge(client: Any, stage: Stage, token: str, choice: str) -> Any:
    told = {"token": token, "choice": choice}
    return client.post(blind_api(stage), told, content_type="application/json")


def judge_all(
    client: Any, stage: Stage, count: int, choose: Callable[[dict[str, Any]], str]
) -> Any:
    """Judge the next `count` prompts; what the desk says then."""
    seat = look(client, stage)
    for _ in range(count):
        answer = judge(client, stage, seat["prompt"]["token"], choose(seat["prompt"]))
        assert answer.status_code == 200, answer.content
        seat = answer.json()
    return seat


def prefers(word: str) -> Callable[[dict[str, Any]], str]:
    return lambda prompt: "first" if word in prompt["first"] else "second"


# Nothing tells the sides apart ---------------------------------------------------------------


def test_the_page_of_a_prompt_says_nothing_of_who_wrote_what(stage, second, client_for):
    """Two prompts whose sides lie the other way round differ in their own words alone."""
    for person in (stage.maintainer, second):
        client = client_for(person)
        skeletons: dict[str, set[bool]] = {}
        for _ in range(12):
            page = client.get(f"{stage.url}/blind").content.decode()
            desk = page.partition('<section class="card desk"')[2].partition("</section>")[0]
            texts = re.findall(r'<div class="desk-text">(.*?)</div>', desk)
            assert len(texts) == 3, "the prompt and two answers"
            assert {text.split()[0] for text in texts[1:]} == {"alder", "birch"}
            is_candidate = texts[1].startswith("birch")
            blank = re.sub(r'name="token" value="[^"]*"', "", desk)
            blank = re.sub(r'csrfmiddlewaretoken" value="[^"]*"', "", blank)
            blank = re.sub(r"\d+", "#", re.sub(r"alder|birch", "WORD", blank))
            blank = re.sub(r"<form class=\"end\".*?</form>", "", blank)
            skeletons.setdefault(blank, set()).add(is_candidate)
            token = re.search(r'name="token" value="([^"]*)"', desk)[1]  # type: ignore[index]
            client.post(f"{stage.url}/blind/vote", {"token": token, "choice": "tie"})
        (orders,) = skeletons.values()
        assert orders == {True, False}, "both orders came, on one and the same page"


def test_nothing_but_the_order_changes_when_the_sides_are_swapped(client_for, api_for):
    """The strongest form: let the models change places and compare all that the desk answers."""

    def swapped(side: str, doc: dict[str, Any]) -> str:
        return says("candidate" if side == "base" else "base", doc)

    seen = []
    for answers in (says, swapped):
        stage = set_desk(answers=answers)
        seat = look(api_for(stage.maintainer), stage)
        prompt = seat.pop("prompt")
        words = {prompt.pop("first").split()[0], prompt.pop("second").split()[0]}
        told = signing.loads(prompt.pop("token"), salt=SALT)
        seen.append((seat, sorted(told), words, sorted(prompt)))
    assert seen[0] == seen[1]


def test_the_token_holds_no_order_and_no_side(stage, api_for):
    prompt = look(api_for(stage.maintainer), stage)["prompt"]
    told = signing.loads(prompt["token"], salt=SALT)
    assert set(told) == {
        "repository", "number", "head", "base", "benchmark", "reviewer", "item",
    }  # fmt: skip


def test_the_order_is_drawn_for_each_reviewer_and_each_prompt_alone(stage, second):
    desk = desk_of(stage.model, change_of(stage.pull_request))
    assert len(desk.prompts) == 50
    mine, theirs = (
        [candidate_is_first(desk, person.pk, item) for item in desk.prompts]
        for person in (stage.maintainer, second)
    )
    assert 10 <= sum(mine) <= 40
    assert 10 <= sum(theirs) <= 40
    assert 10 <= sum(a == b for a, b in zip(mine, theirs, strict=True)) <= 40


def test_no_result_and_no_prompt_reach_those_who_must_not_see_them(stage, second, api_for):
    judge_all(api_for(stage.maintainer), stage, 39, prefers("birch"))
    for client in (api_for(second), api_for(make_user()), api_for(None)):
        seat = look(client, stage)
        assert seat["outcome"] is None, "a result that moves with each vote tells what it was"
        assert seat["judgements"] == 39
    assert look(api_for(make_user()), stage)["prompt"] is None
    assert "judgements" in line(stage).detail
    assert "%" not in line(stage).detail


# Who judges, and once -------------------------------------------------------------------------


def test_who_may_judge(stage, api_for):
    author, reader = (
        stage.pull_request.author,
        make_member(stage.model.namespace, access=Access.READ),
    )
    token = look(api_for(stage.maintainer), stage)["prompt"]["token"]
    Membership.objects.create(namespace=stage.model.namespace, user=author, access=Access.ADMIN)
    for person, status in ((author, 403), (reader, 403), (make_user(), 403), (None, 401)):
        assert judge(api_for(person), stage, token, "tie").status_code == status
    read_only = api_for(stage.maintainer, scope="read")
    assert judge(read_only, stage, token, "tie").status_code == 403
    assert look(read_only, stage)["prompt"] is None
    assert not BlindVote.objects.exists()


def test_a_token_is_for_one_person_alone(stage, second, api_for):
    token = look(api_for(stage.maintainer), stage)["prompt"]["token"]
    for wrong in (token, token[:-2], "x", signing.dumps({"item": "x"}, salt=SALT)):
        assert judge(api_for(second), stage, wrong, "first").status_code == 400
    assert judge(api_for(stage.maintainer), stage, token, "third").status_code in (400, 422)
    assert not BlindVote.objects.exists()


def test_the_prompts_of_a_data_set_are_for_those_who_may_read_it(stage, api_for):
    place = make_organization()
    Repository.objects.filter(pk=stage.data.pk).update(
        namespace=place, visibility=Visibility.PRIVATE
    )
    seat = look(api_for(stage.maintainer), stage)
    assert (seat["mayJudge"], seat["prompt"]) == (False, None)
    assert "data set" in seat["reason"]


def test_a_judgement_sent_twice_counts_once_and_the_first_stands(stage, api_for):
    client = api_for(stage.maintainer)
    token = look(client, stage)["prompt"]["token"]
    for choice in ("first", "first", "second"):
        assert judge(client, stage, token, choice).status_code == 200
    vote = BlindVote.objects.get()
    desk = desk_of(stage.model, change_of(stage.pull_request))
    is_candidate = candidate_is_first(desk, stage.maintainer.pk, vote.item_id)
    assert vote.choice == ("candidate" if is_candidate else "base")


def test_the_last_judgement_can_be_taken_back_until_it_is_counted(api_for):
    stage = set_desk(votes=10)
    client = api_for(stage.maintainer)
    first = judge_all(client, stage, 1, lambda prompt: "tie")
    assert first["mayUndo"]
    undone = client.delete(blind_api(stage))
    assert undone.status_code == 200
    assert undone.json()["judged"] == 0
    assert client.delete(blind_api(stage)).status_code == 409
    counted = judge_all(client, stage, 10, lambda prompt: "tie")
    assert not counted["mayUndo"]
    assert client.delete(blind_api(stage)).status_code == 409
    assert BlindVote.objects.count() == 10


def test_answers_that_are_the_same_text_can_only_tie(client_for, api_for):
    stage = set_desk(answers=lambda side, doc: f"word {doc['number']}")
    client = api_for(stage.maintainer)
    token = look(client, stage)["prompt"]["token"]
    assert judge(client, stage, token, "first").status_code == 400
    page = client_for(stage.maintainer).get(f"{stage.url}/blind").content.decode()
    assert "Both answers are the same" in page
    assert 'value="first"' not in page
    assert judge(client, stage, token, "tie").status_code == 200


# What counts ----------------------------------------------------------------------------------


def test_judgements_of_an_earlier_version_do_not_count(stage, api_for):
    client = api_for(stage.maintainer)
    token = look(client, stage)["prompt"]["token"]
    judge_all(client, stage, 3, lambda prompt: "tie")
    push(stage.pull_request, {"config.json": b'{"more": 2}'})
    assert line(stage).state is RequirementState.UNMET
    assert look(client, stage)["state"] == "waiting"
    assert judge(client, stage, token, "tie").status_code == 409
    stage.play()
    seat = look(client, stage)
    assert (seat["judged"], seat["judgements"], seat["state"]) == (0, 0, "open")
    assert judge(client, stage, token, "tie").status_code == 409


def test_a_moved_base_makes_them_stale_too(stage, api_for):
    judge_all(api_for(stage.maintainer), stage, 3, lambda prompt: "tie")
    commit_files(stage.model, {"notes.txt": b"the base moves on"})
    assert line(stage).state is RequirementState.UNMET
    assert look(api_for(stage.maintainer), stage)["judgements"] == 0


def test_judgements_of_those_who_may_no_longer_approve_do_not_count(stage, second, api_for):
    judge_all(api_for(second), stage, 3, lambda prompt: "tie")
    assert line(stage).detail.startswith("3 of 40")
    Membership.objects.filter(user=second, namespace=stage.model.namespace).delete()
    assert line(stage).detail.startswith("0 of 40")


def test_a_review_that_shows_the_candidate_to_be_no_worse_is_met(stage, client_for, api_for):
    client = api_for(stage.maintainer)
    assert line(stage).state is RequirementState.UNMET
    assert line(stage).action_path == f"{stage.url}/blind"
    seat = judge_all(client, stage, 40, prefers("birch"))
    found = line(stage)
    assert found.state is RequirementState.MET
    assert found.detail.startswith("The candidate wins 100 % of 40 judgements, at least ")
    assert (seat["state"], seat["prompt"]) == ("passed", None)
    assert seat["outcome"]["verdict"] == "pass"
    assert seat["reviewers"] == {stage.maintainer.username: 40}
    page = client_for(None).get(f"{stage.url}/blind").content.decode()
    assert "What the judgements show" in page


def test_a_review_that_shows_it_to_be_worse_fails_and_takes_no_more(stage, second, api_for):
    other = look(api_for(second), stage)["prompt"]["token"]
    judge_all(api_for(stage.maintainer), stage, 40, prefers("alder"))
    found = line(stage)
    assert found.state is RequirementState.FAILED
    assert "at most" in found.detail
    assert judge(api_for(second), stage, other, "tie").status_code == 409
    assert BlindVote.objects.count() == 40


def test_an_open_review_goes_on_to_the_next_look(stage, second, api_for):
    """Half wins, half losses: no worse than 40 % is not shown by 40 judgements."""
    turn = iter(range(100))

    def by_turns(prompt: dict[str, Any]) -> str:
        return prefers("birch" if next(turn) % 2 else "alder")(prompt)

    judge_all(api_for(stage.maintainer), stage, 40, by_turns)
    found = line(stage)
    assert (found.state, found.detail) == (RequirementState.UNMET, "40 of 80 judgements")
    assert look(api_for(second), stage)["outcome"] is None, "who still judges is not swayed"
    told = look(api_for(None), stage)["outcome"]
    assert (told["verdict"], told["judgements"]) == ("inconclusive", 40)
    seat = judge_all(api_for(stage.maintainer), stage, 10, by_turns)
    assert (seat["prompt"], seat["judged"]) == (None, 50)
    assert seat["outcome"]["judgements"] == 40, "what came later waits for its look"


def test_each_look_is_made_at_a_smaller_level():
    rule = BlindRule(parse_reference("a/b:c.yaml"), votes=20, margin=0.1)
    undecided = [Vote(str(n % 30), float(n % 2)) for n in range(65)]
    assert look_at(undecided[:19], rule, 0.05) is None
    first, third = look_at(undecided[:39], rule, 0.05), look_at(undecided, rule, 0.05)
    assert first is not None and third is not None
    assert (first.counted, first.alpha) == (20, pytest.approx(0.05 * 6 / 3.141592653589793**2))
    assert (third.counted, third.alpha) == (60, pytest.approx(first.alpha / 9))
    won = look_at([Vote(str(n), 1.0) for n in range(20)] + undecided, rule, 0.05)
    assert won is not None
    assert (won.verdict, won.counted) == (Verdict.PASS, 20), "a decision stands"


def test_a_branch_that_asks_for_none_has_no_tab_and_no_line(client_for):
    stage = set_stage(Act("guard", questions(100), chooses()))
    page = client_for(stage.maintainer).get(stage.url).content.decode()
    assert f'href="{stage.url}/blind"' not in page
    assert list(blind_requirements(stage.model, change_of(stage.pull_request))) == []
    assert "No blind review is asked for" in (
        client_for(None).get(f"{stage.url}/blind").content.decode()
    )


def test_a_change_of_text_alone_needs_no_judgement(client_for):
    stage = set_desk(files={"notes.txt": b"words"})
    assert line(stage).state is RequirementState.MET
    assert "No model file changed" in line(stage).detail


def test_a_protection_can_do_without_the_gate_and_its_review(stage):
    BranchProtection.objects.create(repository=stage.model, branch="main", require_gate=False)
    assert list(blind_requirements(stage.model, change_of(stage.pull_request))) == []


def test_before_the_gate_has_run_there_is_nothing_to_judge(stage, client_for):
    push(stage.pull_request, {"config.json": b'{"more": 3}'})
    assert "gate" in line(stage).detail
    page = client_for(stage.maintainer).get(f"{stage.url}/blind").content.decode()
    assert "Nothing to judge yet" in page


def test_the_page_works_without_javascript_from_first_to_last(client_for):
    stage = set_desk(votes=10, limit=10)
    client = client_for(stage.maintainer)
    page = client.get(f"{stage.url}/blind").content.decode()
    for _ in range(10):
        token = re.search(r'name="token" value="([^"]*)"', page)[1]  # type: ignore[index]
        answer = client.post(
            f"{stage.url}/blind/vote", {"token": token, "choice": "tie"}, follow=True
        )
        assert answer.status_code == 200
        page = answer.content.decode()
    assert 'name="token"' not in page
    assert "10 of " in page
    assert len(page) < 100_000


def test_a_settled_pull_request_shows_what_was_found_and_asks_nothing(stage, client_for):
    Discussion.objects.filter(pk=stage.pull_request.pk).update(
        status=DiscussionStatus.CLOSED, decided_at=timezone.now(), decided_by=stage.maintainer
    )
    page = client_for(stage.maintainer).get(f"{stage.url}/blind").content.decode()
    assert "This pull request is settled." in page
    assert 'name="token"' not in page


@pytest.mark.django_db(transaction=True)
def test_the_real_engine_writes_what_is_judged(settings, api_for):
    """Two real models answer; a reviewer tells better from worse without knowing whose it is."""
    settings.RUN_THREADS = 1
    model = make_model()
    data = Repository.objects.get(namespace=model.namespace, kind="dataset")
    rows = [{"question": f"{word} and all of", "answer": "x"} for word in OPENINGS]
    text = TRANSLATION.replace(
        "metric_list", "generation_kwargs: {until: ['.'], max_gen_toks: 8}\nmetric_list"
    )
    commit_files(data, Act("prompts", rows, chooses(), text=text).files())
    rule = GATE.replace("REPO", data.repo_id)
    blind = f"blind: {{benchmark: '{data.repo_id}:prompts.yaml', votes: 10, margin: 0.2}}\n"
    commit_files(model, {GATE_PATH: f"{rule}{blind}".encode()})
    pull_request = make_pull_request(model)
    commit(model, [large(model, "model.safetensors", broken_weights())], ref=pull_request.ref)
    record_push(model, pull_request.number, by=pull_request.author)
    maintainer = make_member(model.namespace, access=Access.WRITE)
    model.access = Access.WRITE
    run = start_gate(model, pull_request.number, actor(maintainer))
    execute(run.pk)
    run.refresh_from_db()
    assert run.error == ""
    client, url = api_for(maintainer), f"/{model.api_path}/discussions/{pull_request.number}/blind"
    seat = client.get(url).json()
    assert (seat["state"], seat["total"]) == ("open", len(OPENINGS))
    assert seat["prompt"]["prompt"] in {row["question"] for row in rows}
    answers = {seat["prompt"]["first"], seat["prompt"]["second"]}
    assert len(answers) == 2, "a broken model says something else"
    desk = desk_of(model, change_of(Discussion.objects.get(pk=pull_request.pk)))
    base = {texts[0] for texts in desk.answers.values()}
    while seat["prompt"]:
        choice = "first" if seat["prompt"]["first"] in base else "second"
        told = {"token": seat["prompt"]["token"], "choice": choice}
        seat = client.post(url, told, content_type="application/json").json()
    assert (seat["state"], seat["judgements"]) == ("failed", 10)


@pytest.mark.django_db(transaction=True)
def test_judgements_at_once_are_kept_once_each():
    stage = set_desk(votes=10, limit=10)
    people = [stage.maintainer, make_member(stage.model.namespace, access=Access.WRITE)]
    clients = [
        Client(headers={"authorization": f"Bearer {make_token(person)}"}) for person in people
    ]
    tokens = [look(client, stage)["prompt"]["token"] for client in clients]

    def cast(number: int) -> int:
        which = number % 2
        return judge(clients[which], stage, tokens[which], "first").status_code

    statuses = at_once(*(partial(cast, number) for number in range(8)))
    assert set(statuses) == {200}
    assert BlindVote.objects.count() == 2
