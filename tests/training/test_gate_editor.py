"""The gate editor: a rule by fields or as text, with promises that the gate keeps."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.http import QueryDict
from hypothesis import HealthCheck, given
from hypothesis import settings as run

from hub.models import Access, BranchProtection, Repository, Visibility
from hub.policies import Actor
from reviews.models import Discussion
from tests.factories import (
    actor,
    commit_files,
    make_member,
    make_organization,
    make_repository,
    make_user,
)
from tests.specs.test_gate_text import configs
from tests.training.acting import CHOICES, TRANSLATION, Act, chooses, questions, set_stage
from training.actions.gate_power import power_of
from training.jobs.looks import shares_of
from training.models import Evaluation
from training.specs.gate import GATE_PATH, parse_gate
from training.specs.gate_text import write_gate
from training.statistics.planning import Plan, needed, plan
from training.web.gate_form import bound_forms, forms_of

pytestmark = pytest.mark.django_db
THIRDS = (1 / 3, 2 / 3, 1.0)


def prompts(count: int = 30) -> Act:
    rows = [{"question": f"Say {n}", "answer": "x"} for n in range(count)]
    return Act("prompts", rows, chooses(), text=TRANSLATION)


class Place:
    """A model without a rule, and data sets of its namespace."""

    def __init__(self, count: int = 1000, **model: Any) -> None:
        self.namespace = make_organization()
        self.data = make_repository(self.namespace, kind="dataset", name="data")
        files = Act("plain", questions(count), chooses()).files() | prompts().files()
        commit_files(self.data, files)
        self.refresh(self.data)
        self.model = make_repository(self.namespace, **model)
        self.writer = make_member(self.namespace, access=Access.WRITE)
        self.url = f"{self.model.get_absolute_url()}/settings/gate"
        self.api = f"/{self.model.api_path}/gate-rule"
        self.plain = f"{self.data.repo_id}:plain.yaml"
        self.prompts = f"{self.data.repo_id}:prompts.yaml"

    @staticmethod
    def refresh(repository: Repository) -> None:
        repository.head_oid = repository.store().resolve("main")
        repository.save(update_fields=["head_oid"])

    def text(self, ref: str = "main") -> str:
        store = self.model.store()
        return store.read(store.resolve(ref), GATE_PATH, limit_bytes=1 << 16).decode()

    def head(self) -> str:
        return self.model.store().resolve("main")


@pytest.fixture
def place() -> Place:
    return Place()


def fields(page: str) -> dict[str, str]:
    """What a browser would send of the first form as it stands on the page."""
    form = page.partition('id="gate-form"')[2].partition("</form>")[0]
    found: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name = re.search(r'name="([^"]*)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        if name is None or ("checkbox" in tag and "checked" not in tag):
            continue
        found[name[1]] = unescape(value[1]) if value else "on" if "checkbox" in tag else ""
    for name, body in re.findall(r'<select name="([^"]*)".*?>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', body) or re.search(r'value="([^"]*)"', body)
        found[name] = chosen[1] if chosen else ""
    return found


def sent(client: Any, place: Place, do: str, **changes: str) -> Any:
    """The page's form with some fields filled in anew."""
    told = fields(client.get(place.url).content.decode()) | changes
    return client.post(place.url, told | {"do": do})


def with_rule(place: Place, text: str) -> None:
    commit_files(place.model, {GATE_PATH: text.encode()})


# From nothing to a rule -----------------------------------------------------------------------


def test_a_rule_is_made_without_a_word_of_yaml(place, client_for):
    client = client_for(place.writer)
    page = client.get(place.url).content.decode()
    assert "No benchmark yet" in page
    assert f'value="{place.plain}"' in page, "what may be named is offered"
    page = sent(client, place, "add", new=place.plain).content.decode()
    told = fields(page)
    assert told["b0-benchmark"] == place.plain
    assert "With these 1\N{NARROW NO-BREAK SPACE}000 items you can prove 2.6 points" in page
    answer = client.post(place.url, told | {"b0-margin": "0.03", "b0-role": "target", "do": "save"})
    assert answer.status_code == 302
    assert place.text() == (
        f"benchmarks:\n- benchmark: {place.plain}\n  role: target\n  margin: 0.03\n"
    )
    said = client.get(answer["Location"]).content.decode()
    assert "is saved as" in said


def test_the_commit_holds_the_rule_alone_and_names_its_author(place, client_for):
    client = client_for(place.writer)
    before = place.head()
    told = fields(sent(client, place, "add", new=place.plain).content.decode())
    client.post(place.url, told | {"b0-margin": "0.03", "do": "save", "title": "Start small"})
    store = place.model.store()
    info = store.commit_info(place.head())
    assert (info.subject, info.author.name) == ("Start small", place.writer.username)
    assert store.changed_paths(before, place.head()) == [GATE_PATH]


def test_every_key_of_the_file_has_a_field(place, client_for):
    rule = (
        f"alpha: 0.1\nlooks: [0.5, 1]\nspending: pocock\nstrict: true\npower: 0.9\n"
        f"noise_floor: true\ncontamination: false\nbenchmarks:\n"
        f"- {{benchmark: '{place.plain}', role: target, metric: acc, margin: 0.09, limit: 900, "
        f"discordance: 0.2, hidden: true}}\n"
        f"blind: {{benchmark: '{place.prompts}', votes: 30, margin: 0.2, limit: 25}}\n"
    )
    with_rule(place, rule)
    client = client_for(place.writer)
    answer = sent(client, place, "save", **{"rule-power": "0.85"})
    assert answer.status_code == 302, answer.content.decode()[:3000]
    assert parse_gate(place.text()) == parse_gate(rule.replace("0.9\n", "0.85\n", 1))


@given(configs)
@run(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_fields_of_any_rule_say_that_rule(config):
    forms = forms_of(config, {})
    data = QueryDict(mutable=True)
    for form in forms.all:
        for field in form:
            value = field.value()
            if value is True:
                data[field.html_name] = "on"
            elif value not in (None, False):
                data[field.html_name] = str(value)
    assert bound_forms(data, {}).config() == config


def test_benchmarks_are_added_and_removed_in_any_order(place, client_for):
    client = client_for(place.writer)
    page = sent(client, place, "add", new=place.plain).content.decode()
    other = f"{place.data.repo_id}:other.yaml"
    page = client.post(place.url, fields(page) | {"new": other, "do": "add"}).content.decode()
    told = fields(page)
    assert (told["b0-benchmark"], told["b1-benchmark"]) == (place.plain, other)
    assert "There is no benchmark" in unescape(page), "one that is not there says so"
    page = client.post(place.url, told | {"do": "remove-0"}).content.decode()
    assert fields(page)["b0-benchmark"] == other
    assert "b1-benchmark" not in fields(page)


# What it promises -----------------------------------------------------------------------------


def power(place: Place, rule: str, **more: Any) -> Any:
    config = parse_gate(rule)
    return power_of(place.model, config, Actor(place.writer), is_protected=False, **more)


def rule_of(place: Place, more: str = "margin: 0.03", head: str = "") -> str:
    return f"{head}benchmarks:\n- {{benchmark: '{place.plain}', {more}}}\n"


def test_nobody_is_told_fewer_items_than_a_gate_takes(place):
    (each,) = power(place, rule_of(place, "margin: 0.15")).benchmarks
    assert needed(0.15, discordance=0.1, alpha=0.05, shares=THIRDS) < 100 == each.needed


def test_the_numbers_are_those_of_the_plan(place):
    found = power(place, rule_of(place))
    (each,) = found.benchmarks
    how = {"discordance": 0.1, "alpha": 0.05, "shares": THIRDS}
    assert (each.items, each.n, each.problem) == (1000, 1000, "")
    assert each.provable == plan(1000, power=0.8, **how)
    assert each.needed == needed(0.03, power=0.8, **how)
    assert each.chance == Plan(**how).chance_of_passing(1000, 0.03)
    assert found.chance == each.chance


def test_two_benchmarks_are_passed_together_less_often(place):
    second = Act("second", questions(400), chooses())
    commit_files(place.data, second.files())
    both = rule_of(place) + f"- {{benchmark: '{place.data.repo_id}:second.yaml', margin: 0.05}}\n"
    found = power(place, both)
    one, two = found.benchmarks
    assert found.chance == pytest.approx(one.chance * two.chance)


def test_looks_that_the_gate_would_skip_are_not_counted(place):
    found = power(place, rule_of(place, "margin: 0.2, limit: 160"))
    assert found.shares == tuple(shares_of(THIRDS, 160)) == (2 / 3, 1.0)
    assert power(place, rule_of(place, "margin: 0.2, limit: 120")).shares == (1.0,)


def test_a_strict_rule_is_planned_at_the_level_of_its_first_attempt(place):
    loose, strict = (
        power(place, rule_of(place, head=head)).benchmarks[0] for head in ("", "strict: true\n")
    )
    assert strict.provable > loose.provable
    assert strict.chance < loose.chance


def test_a_share_of_a_score_waits_for_the_score(place):
    (each,) = power(place, rule_of(place, "margin: 5%")).benchmarks
    assert (each.margin, each.chance, each.problem) == (None, None, "")
    assert each.provable is not None


def test_what_an_earlier_verdict_saw_is_offered_as_the_expectation(client_for):
    guard = Act("guard", questions(400), chooses(lost=range(9), gained=range(20, 31)))
    stage = set_stage(guard, gate="looks: 1\n")
    record = stage.play()
    assert (record.results[0]["gains"], record.results[0]["losses"]) == (11, 9)
    n = record.results[0]["n"]
    client = client_for(stage.maintainer)
    url = f"{stage.model.get_absolute_url()}/settings/gate"
    page = client.get(url).content.decode()
    share = round(20 / n, 4)
    assert f"a share of {share:g} of" in unescape(page)
    assert "One side takes about" not in page, "the acted runner took no time"
    page = client.post(url, fields(page) | {"do": "observe-0"}).content.decode()
    assert fields(page)["b0-discordance"] == str(share)
    assert f"discordance: {share:g}" in page


def test_earlier_runs_tell_how_long_it_takes(client_for):
    stage = set_stage(Act("guard", questions(200), chooses()), gate="looks: 1\n")
    stage.play()
    Evaluation.objects.update(seconds=40.0)
    page = (
        client_for(stage.maintainer)
        .get(f"{stage.model.get_absolute_url()}/settings/gate")
        .content.decode()
    )
    assert "One side takes about 40 s" in page
    assert "about 40 s, and as long once for the base" in page


def test_a_hidden_benchmark_s_score_is_coarse_to_whoever_may_not_know_it():
    namespace = make_organization()
    vault = make_repository(namespace, kind="dataset", name="vault", visibility=Visibility.PRIVATE)
    rule = "margin: 5%, hidden: true"
    exam = Act("exam", questions(200), chooses({1}, {1}), data=vault, rule=rule)
    stage = set_stage(exam, namespace=namespace, gate="looks: 1\n")
    stage.play()
    store = stage.model.store()
    text = store.read(store.resolve("main"), GATE_PATH, limit_bytes=1 << 16)

    def known(person: Any) -> float | None:
        config = parse_gate(text)
        (found,) = power_of(stage.model, config, actor(person), is_protected=False).benchmarks
        return found.base_score

    assert known(stage.maintainer) == pytest.approx(0.995)
    assert known(make_user()) not in (None, pytest.approx(0.995))


# What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("margin: 0.02", "a margin of 0.02 with 1000 items: it needs 1612 items, or a margin of"),
        ("margin: 0.05, limit: 90", "it needs at least 100 items"),
        ("margin: 0.05, metric: bleu", "bleu"),
    ],
)
def test_a_rule_that_cannot_decide_is_not_saved(place, api_for, client_for, more, said):
    answer = api_for(place.writer).put(
        place.api, {"text": rule_of(place, more)}, content_type="application/json"
    )
    assert answer.status_code == 400
    assert said in answer.json()["error"]
    page = client_for(place.writer).post(
        place.url, {"do": "save-text", "text": rule_of(place, more), "branch": "main"}
    )
    assert page.status_code == 422
    assert said in unescape(page.content.decode())
    with pytest.raises(Exception, match="gate"):
        place.text()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("margin: 0.04", "it needs 425 items, or a margin of at least 0.054"),
        ("margin: 0.05", "it needs 281 items, or a margin of at least 0.054"),
        ("margin: 0.053", "or a margin of at least 0.054"),
        ("margin: 0.054", ""),
    ],
)
def test_the_margin_that_is_called_provable_is_the_one_that_saves(api_for, more, said):
    place = Place(count=250)
    client = api_for(place.writer)
    text = {"text": rule_of(place, more)}
    told = client.post(f"{place.api}/power", text, content_type="application/json").json()
    (each,) = told["benchmarks"]
    assert 0.053 < each["provableMargin"] <= 0.054
    answer = client.put(place.api, text, content_type="application/json")
    assert answer.status_code == (400 if said else 200)
    assert said in answer.json().get("error", "")
    assert bool(each["problem"]) == bool(said)


@pytest.mark.parametrize(
    ("more", "is_saved"),
    [("margin: 2", False), ("margin: 1", False), ("margin: 0.9", True)],
)
def test_a_margin_that_lets_any_loss_pass_is_refused(place, api_for, more, is_saved):
    answer = api_for(place.writer).put(
        place.api, {"text": rule_of(place, more)}, content_type="application/json"
    )
    assert answer.status_code == (200 if is_saved else 400)
    if not is_saved:
        assert "acc cannot get worse by more than 1" in answer.json()["error"]


def test_clusters_that_nobody_has_measured_are_counted(place, api_for):
    rows = [each | {"thread": str(n // 20)} for n, each in enumerate(questions(1000))]
    commit_files(place.data, Act("spread", rows, chooses(), more=", cluster_by: thread").files())
    named = f"{place.data.repo_id}:spread.yaml"
    (each,) = power(place, f"benchmarks: [{{benchmark: '{named}', margin: 0.1}}]").benchmarks
    assert each.clusters == 50
    assert each.provable > power(place, rule_of(place)).benchmarks[0].provable


def test_a_margin_that_is_the_benchmarks_own_must_be_provable_too(api_for):
    place = Place(count=150)
    answer = api_for(place.writer).put(
        place.api, {"text": rule_of(place, "role: guard")}, content_type="application/json"
    )
    assert "cannot decide a margin of 0.02 with 150 items" in answer.json()["error"]


def test_content_that_the_form_does_not_know_is_refused_with_a_sentence(place, client_for):
    text = rule_of(place) + "quorum: 3\n"
    page = (
        client_for(place.writer)
        .post(place.url, {"do": "read", "text": text, "branch": "main"})
        .content.decode()
    )
    assert "unknown key 'quorum'" in unescape(page)
    assert "quorum: 3" in page, "the text is still there to be mended"
    with_rule(place, text)
    page = client_for(place.writer).get(place.url).content.decode()
    assert "The file cannot be shown as a form" in page
    assert "unknown key 'quorum'" in unescape(page)


def test_comments_are_warned_about_and_the_text_keeps_them(place, client_for):
    text = f"# why\n\n{rule_of(place)}# the end\n"
    with_rule(place, text)
    client = client_for(place.writer)
    page = client.get(place.url).content.decode()
    assert "drops the comment in line 5" in page
    told = {"do": "save-text", "text": text.replace("0.03", "0.04"), "branch": "main"}
    assert client.post(place.url, told).status_code == 302
    assert place.text() == text.replace("0.03", "0.04")
    assert sent(client, place, "save", **{"b0-margin": "0.05"}).status_code == 302
    assert place.text().startswith("# why\n\nbenchmarks:")
    assert "# the end" not in place.text()


@pytest.mark.parametrize(
    ("blind", "said"),
    [
        ("PLAIN", "a benchmark of this gate too"),
        ("OTHER", "answered by multiple_choice"),
        ("FEW", "gives 5 prompts and cannot decide"),
        ("NONE", "There is no benchmark"),
    ],
)
def test_prompts_that_nobody_could_judge_blindly_are_refused(place, api_for, blind, said):
    few = Act(
        "few", [{"question": str(n), "answer": "x"} for n in range(5)], chooses(), TRANSLATION
    )
    other = Act("other", questions(50), chooses(), CHOICES)
    commit_files(place.data, few.files() | other.files())
    named = {"PLAIN": "plain", "OTHER": "other", "FEW": "few", "NONE": "none"}[blind]
    text = rule_of(place) + f"blind: {{benchmark: '{place.data.repo_id}:{named}.yaml'}}\n"
    answer = api_for(place.writer).put(place.api, {"text": text}, content_type="application/json")
    assert answer.status_code in (400, 404)
    assert said in answer.json()["error"]


def test_a_data_set_that_the_writer_may_not_read_is_as_good_as_missing(place, api_for):
    theirs = make_repository(
        make_organization(), kind="dataset", name="theirs", visibility=Visibility.PRIVATE
    )
    commit_files(theirs, Act("plain", questions(200), chooses()).files())
    text = f"benchmarks: [{{benchmark: '{theirs.repo_id}:plain.yaml', margin: 0.2}}]\n"
    answer = api_for(place.writer).put(place.api, {"text": text}, content_type="application/json")
    assert answer.status_code == 400
    assert "or you may not see it" in answer.json()["error"]


# Who, and against whom ------------------------------------------------------------------------


def test_only_people_with_write_access_come_here(place, client_for, api_for):
    reader = make_member(place.namespace, access=Access.READ)
    for person, status in ((reader, 403), (make_user(), 403)):
        assert client_for(person).get(place.url).status_code == status
        assert (
            api_for(person)
            .put(place.api, {"text": rule_of(place)}, content_type="application/json")
            .status_code
            == status
        )
        assert (
            api_for(person)
            .post(f"{place.api}/power", {}, content_type="application/json")
            .status_code
            == status
        )
    read_only = api_for(place.writer, scope="read")
    assert (
        read_only.put(
            place.api, {"text": rule_of(place)}, content_type="application/json"
        ).status_code
        == 403
    )


def test_a_protected_branch_gets_a_pull_request(place, client_for, api_for):
    BranchProtection.objects.create(repository=place.model, branch="main", required_approvals=1)
    client = client_for(place.writer)
    before = place.head()
    told = fields(sent(client, place, "add", new=place.plain).content.decode())
    answer = client.post(place.url, told | {"b0-margin": "0.04", "do": "save"})
    assert answer.status_code == 302
    row = Discussion.objects.get(repository=place.model)
    assert answer["Location"] == row.get_absolute_url()
    assert place.head() == before
    assert "margin: 0.04" in place.text(row.ref)
    again = api_for(place.writer).put(
        place.api, {"text": rule_of(place, "margin: 0.05")}, content_type="application/json"
    )
    assert again.json()["pullRequestUrl"].endswith("/discussions/2")


def test_a_protected_branch_is_planned_at_half_the_risk(place, api_for):
    loose = api_for(place.writer).post(
        f"{place.api}/power", {"text": rule_of(place)}, content_type="application/json"
    )
    BranchProtection.objects.create(repository=place.model, branch="main")
    tight = api_for(place.writer).post(
        f"{place.api}/power", {"text": rule_of(place)}, content_type="application/json"
    )
    assert (loose.json()["alpha"], tight.json()["alpha"]) == (0.05, 0.025)
    assert (
        tight.json()["benchmarks"][0]["itemsNeeded"] > loose.json()["benchmarks"][0]["itemsNeeded"]
    )


def test_other_commits_meanwhile_do_not_matter_and_another_rule_does(place, client_for):
    with_rule(place, rule_of(place))
    client = client_for(place.writer)
    told = fields(client.get(place.url).content.decode())
    commit_files(place.model, {"notes.txt": b"something else"})
    answer = client.post(place.url, told | {"b0-margin": "0.04", "do": "save"})
    assert answer.status_code == 302
    assert "margin: 0.04" in place.text()
    answer = client.post(place.url, told | {"b0-margin": "0.05", "do": "save"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "has changed since you opened it" in page
    assert "What stands there now" in page
    assert "margin: 0.04" in place.text(), "nothing was written over"
    assert fields(page)["b0-margin"] == "0.05", "and nothing that was typed is lost"
    again = client.post(place.url, fields(page) | {"do": "save"})
    assert again.status_code == 302
    assert "margin: 0.05" in place.text()


def test_the_rule_by_api(place, api_for):
    client = api_for(place.writer)
    assert client.get(place.api).json()["text"] is None
    saved = client.put(
        place.api,
        {"rule": {"benchmarks": [{"benchmark": place.plain, "margin": 0.03}]}, "title": "Start"},
        content_type="application/json",
    )
    assert saved.status_code == 200, saved.content
    found = client.get(place.api).json()
    assert found["head"] == saved.json()["commitOid"] == place.head()
    assert found["rule"]["benchmarks"][0]["margin"] == 0.03
    assert parse_gate(found["text"]) == parse_gate(write_gate(parse_gate(found["text"])))
    stale = client.put(
        place.api,
        {"text": rule_of(place, "margin: 0.04"), "parentCommit": place.model.head_oid},
        content_type="application/json",
    )
    assert stale.status_code == 409
    told = client.post(f"{place.api}/power", {}, content_type="application/json").json()
    assert told["benchmarks"][0]["provableMargin"] == pytest.approx(0.02554, abs=1e-4)
    both = {"text": rule_of(place), "rule": {}}
    assert client.put(place.api, both, content_type="application/json").status_code == 400
    assert client.get(f"{place.api}?branch=nope").status_code == 404


def test_another_branch_has_its_own_rule(place, client_for):
    store = place.model.store()
    store.move_ref("refs/heads/release", new=place.head(), old=None)
    client = client_for(place.writer)
    page = client.get(f"{place.url}?branch=release").content.decode()
    told = fields(page) | {"new": place.plain, "do": "add"}
    told = fields(client.post(place.url, told).content.decode())
    assert told["branch"] == "release"
    assert client.post(place.url, told | {"b0-margin": "0.04", "do": "save"}).status_code == 302
    assert "margin: 0.04" in place.text("release")
    with pytest.raises(Exception, match="gate"):
        place.text("main")


def test_the_page_stays_small_and_says_where_it_is(place, client_for):
    with_rule(place, rule_of(place))
    page = client_for(place.writer).get(place.url).content.decode()
    assert len(page) < 100_000
    admin = make_member(place.namespace, access=Access.ADMIN)
    settings_page = client_for(admin).get(f"{place.model.get_absolute_url()}/settings")
    assert place.url in settings_page.content.decode()
