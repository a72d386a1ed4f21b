"""Models of one family become one proposal, by a recipe that gives the same bytes again."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.utils import timezone
from safetensors.numpy import load, load_file, save

from hub.actions.moving import move_repository
from hub.actions.repositories import delete_repository, update_settings
from hub.errors import ConflictError, HubError
from hub.gitstore import AddFile
from hub.jobs.lineage import resolve
from hub.jobs.refresh import refresh
from hub.jobs.working import due
from hub.models import Access, Kind, Membership, RepoId, Repository
from hub.models.work import WorkState
from hub.policies import ANONYMOUS
from reviews.actions.model_family import candidates, common_bases
from reviews.actions.model_merges import Part, Wanted, prepare, start_model_merge
from reviews.actions.model_merges_said import error_said, sources_of, warnings_said
from reviews.jobs import model_merging
from reviews.jobs.model_sources import rerun_sources
from reviews.models import Comment, Discussion, ModelMerge
from reviews.weights.merging.recipe_file import parse_recipe
from tests.factories import actor, make_organization, make_repository, make_token, make_user
from tests.races import at_once
from tests.training.factories import TINY, commit, large

pytestmark = pytest.mark.usefixtures("transactional_db")
NAME = "model.layers.0.mlp.up_proj.weight"


def readme(**data: Any) -> bytes:
    lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in data.items())
    return f"---\n# a note of ours\n{lines}license: mit\n---\n".encode() + b"\n# Mine\r\n"


def make_model(team, name: str, edit=None, card: bytes | None = None, **more: Any) -> Repository:
    held = load_file(TINY / "model.safetensors")
    if edit:
        edit(held)
    repository = make_repository(team, name=name, **more)
    files = [AddFile(p.name, p.read_bytes()) for p in sorted(TINY.iterdir()) if p.suffix == ".json"]
    weights = large(repository, "model.safetensors", save(held))
    commit(repository, [*files, weights, AddFile("README.md", card or readme())])
    return seen(repository)


def seen(repository: Repository) -> Repository:
    resolve({(repository.kind, repository.repo_id)})
    refresh(repository.pk)
    repository.refresh_from_db()
    repository.access = Access.ADMIN
    return repository


def moved(seed: int, scale: float = 0.01):
    def edit(held: dict[str, np.ndarray]) -> None:
        step = np.random.default_rng(seed).normal(size=held[NAME].shape) + 1.0
        held[NAME] = (held[NAME] + scale * step).astype(np.float32)

    return edit


@pytest.fixture
def team():
    return make_organization("team")


@pytest.fixture
def family(team) -> list[Repository]:
    """A base and two fine-tunes of it."""
    base = make_model(team, "base")
    one = make_model(team, "one", moved(1), readme(base_model="team/base"))
    two = make_model(team, "two", moved(2), readme(base_model="team/base"))
    return [base, one, two]


def wanted(*names: str, method: str = "linear", **more: Any) -> Wanted:
    parts = [Part(name) if isinstance(name, str) else name for name in names]
    return Wanted(method=method, parts=parts, title="Two in one", **more)


def weights_at(repository: Repository, oid: str) -> dict[str, np.ndarray]:
    store = repository.store()
    pointer = store.entry(store.resolve(oid), "model.safetensors").lfs
    assert pointer is not None
    with repository.blobs().open(pointer.sha256) as stream:
        return load(stream.read())


def done(row: ModelMerge) -> ModelMerge:
    model_merging.carry_out(row.pk)
    return ModelMerge.objects.get(pk=row.pk)


def said(row: ModelMerge) -> str:
    return error_said(row, sources_of(row, actor(row.by)))


def test_two_fine_tunes_come_back_as_a_pull_request(family, team):
    _base, one, two = family
    user = make_user()
    head = one.store().resolve("main")
    row = start_model_merge(one, actor(user), wanted("team/one", Part("team/two", 3.0)))
    row = done(row)
    assert (row.state, row.error) == (WorkState.DONE, {})
    proposal = Discussion.objects.get(repository=one, number=row.pull_request_number)
    store = one.store()
    assert proposal.head_oid == row.result_oid == store.resolve(proposal.ref)
    assert (proposal.author, proposal.title, proposal.target_branch) == (user, "Two in one", "main")
    assert store.commit_info(row.result_oid).parents == (head,)
    got, left, right = (
        weights_at(one, row.result_oid), weights_at(one, head), weights_at(two, "main"),
    )  # fmt: skip
    np.testing.assert_allclose(got[NAME], 0.25 * left[NAME] + 0.75 * right[NAME], atol=1e-7)
    assert all((got[name] == left[name]).all() for name in got if name != NAME)
    text = store.read(row.result_oid, "README.md", limit_bytes=9999).decode()
    assert text.startswith("---\n# a note of ours\nbase_model:\n- team/base\n- team/two\n")
    assert "base_model_relation: merge" in text and text.endswith("---\n\n# Mine\r\n")
    assert [each["code"] for each in row.conditions if not each["holds"]] == []
    recipe = parse_recipe(store.read(row.result_oid, ".weighbridge/merge.yaml", limit_bytes=9999))
    assert recipe.base.repo_id == "team/base"
    assert [each.source.repo_id for each in recipe.models] == ["team/one", "team/two"]
    description = Comment.objects.get(event__discussion=proposal).body
    assert "2 models merged by `linear`" in description and "Cosine" in description
    assert "Licences differ" not in description


def test_the_recipe_gives_the_same_bytes_again_wherever_its_sources_have_moved(family, tmp_path):
    _base, one, two = family
    user = make_user()
    ties = wanted("team/one", Part("team/two", 1.0, 0.5), method="ties")
    row = done(start_model_merge(one, actor(user), ties))
    assert row.error == {}
    store = one.store()
    recipe = parse_recipe(store.read(row.result_oid, ".weighbridge/merge.yaml", limit_bytes=9999))
    first = store.entry(row.result_oid, "model.safetensors").lfs.sha256
    owner = make_user()
    Membership.objects.create(namespace=two.namespace, user=owner, access=Access.ADMIN)
    move_repository(two, actor(owner), RepoId(Kind.MODEL, "team", "three"))
    files = rerun_sources(actor(user), one, recipe, tmp_path)
    assert hashlib.sha256(files["model.safetensors"].read_bytes()).hexdigest() == first


def adapter_of(repository: Repository, seed: int) -> None:
    generator = np.random.default_rng(seed)
    place = "base_model.model.model.layers.1.self_attn.q_proj"
    factors = {
        f"{place}.lora_{side}.weight": (generator.normal(size=shape) + 0.5).astype(np.float32)
        for side, shape in (("A", (2, 192)), ("B", (192, 2)))
    }
    settings = {
        "peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["q_proj"],
        "base_model_name_or_path": "team/base",
    }  # fmt: skip
    files = [
        AddFile("adapter_config.json", json.dumps(settings).encode()),
        large(repository, "adapter_model.safetensors", save(factors)),
        AddFile("README.md", readme(base_model="team/base", library_name="peft")),
    ]
    commit(repository, files)
    seen(repository)


def adapter_at(repository: Repository, oid: str) -> np.ndarray:
    """What the adapter adds to its one module."""
    store = repository.store()
    oid = store.resolve(oid)
    pointer = store.entry(oid, "adapter_model.safetensors").lfs
    with repository.blobs().open(pointer.sha256) as stream:
        held = load(stream.read())
    config = json.loads(store.read(oid, "adapter_config.json", limit_bytes=9999))
    (b,) = (value for name, value in held.items() if "lora_B" in name)
    (a,) = (value for name, value in held.items() if "lora_A" in name)
    return config["lora_alpha"] / config["r"] * (b @ a)


def test_adapters_of_one_base_are_merged_by_their_products(family, team):
    one, two = (make_repository(team, name=name) for name in ("lora-one", "lora-two"))
    for seed, each in enumerate((one, two)):
        adapter_of(each, seed)
    user = make_user()
    row = done(start_model_merge(one, actor(user), wanted("team/lora-one", "team/lora-two")))
    assert (row.state, row.error) == (WorkState.DONE, {})
    mean = (adapter_at(one, "main") + adapter_at(two, "main")) / 2
    np.testing.assert_allclose(adapter_at(one, row.result_oid), mean, rtol=1e-5, atol=1e-5)
    refused = wanted("team/lora-one", "team/lora-two", method="ties")
    row = done(start_model_merge(one, actor(user), refused))
    assert row.state == WorkState.FAILED and "linear and task arithmetic" in said(row)
    mixed = done(start_model_merge(one, actor(user), wanted("team/lora-one", "team/two")))
    assert "put the adapters into their base first" in said(mixed)


def test_what_may_not_be_read_any_more_is_not_merged(family, team):
    _base, one, two = family
    user, owner = make_user(), make_user()
    Membership.objects.create(namespace=team, user=owner, access=Access.ADMIN)
    row = start_model_merge(one, actor(user), wanted("team/one", "team/two"))
    update_settings(two, actor(owner), visibility="private")
    row = done(row)
    assert row.state == WorkState.FAILED and "team/two is gone" in said(row)
    assert "team/two" not in error_said(row, sources_of(row, ANONYMOUS))
    update_settings(two, actor(owner), visibility="public")
    row = start_model_merge(one, actor(user), wanted("team/one", "team/two"))
    update_settings(two, actor(owner), gated="manual")
    assert "may not read its files" in said(done(row))
    update_settings(two, actor(owner), gated=False)
    row = start_model_merge(one, actor(user), wanted("team/one", "team/two"))
    delete_repository(two, actor(owner))
    assert done(row).state == WorkState.FAILED
    assert not Discussion.objects.exists()


def test_whoever_may_not_propose_any_more_does_not(family):
    _base, one, _two = family
    user = make_user()
    row = start_model_merge(one, actor(user), wanted("team/one", "team/two"))
    user.is_active = False
    user.save()
    row = done(row)
    assert "may not propose changes here any more" in said(row)
    with pytest.raises(HubError):
        start_model_merge(one, ANONYMOUS, wanted("team/one", "team/two"))


def test_a_right_that_ends_while_weights_are_written_ends_the_merge(family, monkeypatch):
    _base, one, two = family
    row = start_model_merge(one, actor(make_user()), wanted("team/one", "team/two"))
    written = model_merging.write_commit

    def and_then_hidden(*given: Any) -> str:
        Repository.objects.filter(pk=two.pk).update(visibility="private")
        return written(*given)

    monkeypatch.setattr(model_merging, "write_commit", and_then_hidden)
    assert done(row).state == WorkState.FAILED
    assert not Discussion.objects.exists()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (wanted("team/one"), "2 to 8"),
        (wanted(*["team/one"] * 9), "2 to 8"),
        (wanted("team/two", "team/base"), "must be one of the models"),
        (wanted("team/one", "team/one"), "named twice"),
        (wanted("team/one", "team/two", method="ours"), "no way of merging"),
        (wanted("team/one", "team/two", "team/base", method="slerp"), "takes 2 models"),
        (wanted("team/one", Part("team/two", 99.0)), "from -10 to 10"),
        (wanted("team/one", "team/two", parameters={"t": 7}), "from 0 to 1"),
        (wanted("team/one", "team/nowhere"), "There is no model"),
        (wanted("team/one", "team/two@gone"), "no revision"),
        (wanted("team/one", "<script>"), "no repository id"),
        (wanted("team/one", "team/alien"), "no common base"),
        (wanted("team/one", "team/bare"), "no weights"),
    ],
)
def test_a_form_that_cannot_be_is_refused_with_words(family, team, given, why):
    make_model(team, "alien")
    make_repository(team, name="bare")
    with pytest.raises(HubError, match=why):
        start_model_merge(family[1], actor(make_user()), given)
    assert not ModelMerge.objects.exists()


def test_a_base_may_be_chosen_and_that_is_told(family, team):
    _base, one, _two = family
    make_model(team, "alien", moved(7), readme().replace(b"mit", b'"x `[y](//z)"'))
    user = make_user()
    given = wanted("team/one", "team/alien", base="team/base@main")
    lines = warnings_said(prepare(one, actor(user), given))
    assert any("licences differ" in line.text for line in lines)
    assert any("do not lead to team/base" in line.text for line in lines)
    row = done(start_model_merge(one, actor(user), given))
    assert row.error == {} and row.conditions[0]["parameters"] == {"recorded": False}
    description = Comment.objects.get(event__discussion__repository=one).body
    assert "`team/alien` `x [y](//z)`" in description and "chosen by who asked" in description


def test_models_that_point_apart_are_averaged_only_when_that_is_confirmed(family, team):
    one = family[1]
    make_model(team, "away", moved(1, -0.01), readme(base_model="team/base"))
    user = make_user()
    row = done(start_model_merge(one, actor(user), wanted("team/one", "team/away")))
    assert row.state == WorkState.FAILED and "point away" in said(row)
    sure = wanted("team/one", "team/away", confirmed=True)
    assert done(start_model_merge(one, actor(user), sure)).state == WorkState.DONE


def test_other_shapes_are_refused_whatever_is_confirmed(family, team):
    def other(held: dict[str, np.ndarray]) -> None:
        held[NAME] = held[NAME][:-1]

    make_model(team, "other", other, readme(base_model="team/base"))
    sure = wanted("team/one", "team/other", confirmed=True)
    row = done(start_model_merge(family[1], actor(make_user()), sure))
    assert row.error["parameters"]["condition"] == "same_shapes"


@pytest.mark.parametrize("closed", [{"visibility": "private"}, {"gated": "manual"}])
def test_what_lies_in_closed_files_is_told_to_who_asked_and_who_may_read_them(
    family, team, client_for, api_for, closed
):
    def other(held: dict[str, np.ndarray]) -> None:
        held["secret.weight"] = held.pop(NAME)

    one, hidden = family[1], make_model(team, "hidden", other, readme(base_model="team/base"))
    user, member = make_user(), make_user()
    Membership.objects.create(namespace=team, user=member, access=Access.READ)
    row = done(start_model_merge(one, actor(user), wanted("team/one", "team/hidden")))
    assert row.state == WorkState.FAILED and row.error["parameters"]["examples"]
    Repository.objects.filter(pk=hidden.pk).update(**closed)
    url = f"/api/models/{one}/merges/{row.pk}"

    def told(person: Any) -> tuple[str, str]:
        page = client_for(person).get(f"{one.get_absolute_url()}/merge-models/{row.pk}")
        return api_for(person).get(url).content.decode(), page.content.decode()

    for person in (user, member):
        for text in told(person):
            assert "secret.weight" in text or NAME in text
    for person in (make_user(), None):
        api, page = told(person)
        for text in (api, page):
            assert "secret.weight" not in text and NAME not in text
            assert "do not hold the same tensors" in text
        assert "They hold the same tensors." in page
        assert {str(e["parameters"]) for e in json.loads(api)["conditions"]} == {"{}"}


def test_a_problem_in_closed_files_is_told_without_its_names(family):
    _base, one, two = family
    row = start_model_merge(one, actor(make_user()), wanted("team/one", "team/two"))
    Repository.objects.filter(pk=two.pk).update(visibility="private")
    for code, parameters, words in (
        ("shapes_differ", {"tensor": "a.secret"}, "A tensor has not the same shape in every model"),
        ("adapter_not_exact", {"reason": "a.secret"}, "exact for linear and task arithmetic only."),
        ("refused", {"said": "a.secret"}, f"{row.by.username} is told why"),
        ("patch_other_base", {"tensor": "a.secret"}, "made for another"),
        ("only_safetensors", {"source": "a.secret"}, "Only safetensors weights"),
    ):
        row.error = {"code": code, "parameters": parameters}
        assert "a.secret" not in error_said(row, sources_of(row, ANONYMOUS))
        assert words in error_said(row, sources_of(row, ANONYMOUS))
        assert code == "only_safetensors" or "a.secret" in said(row)


def test_repeated_killed_and_raced_it_opens_one_pull_request(family):
    one = family[1]
    row = start_model_merge(one, actor(make_user()), wanted("team/one", "team/two"))
    at_once(*[lambda: model_merging.carry_out(row.pk)] * 3)
    assert Discussion.objects.count() == 1
    model_merging.carry_out(row.pk)
    assert Discussion.objects.count() == 1
    assert due(ModelMerge.objects.all()) == []


def test_a_worker_that_died_is_followed_by_another(family, monkeypatch):
    one = family[1]
    row = start_model_merge(one, actor(make_user()), wanted("team/one", "team/two"))

    def die(*given: Any, **more: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(model_merging.extensions, "propose", die)
        with pytest.raises(SystemExit):
            model_merging.carry_out(row.pk)
    assert due(ModelMerge.objects.all()) == [] and not Discussion.objects.exists()
    expired = timezone.now() - timedelta(seconds=1)
    ModelMerge.objects.filter(pk=row.pk).update(lease_ends_at=expired)
    assert due(ModelMerge.objects.all()) == [row.pk]
    assert done(row).state == WorkState.DONE
    assert Discussion.objects.count() == 1


def test_a_worker_that_lost_its_claim_opens_nothing(family, monkeypatch):
    one = family[1]
    row = start_model_merge(one, actor(make_user()), wanted("team/one", "team/two"))
    written = model_merging.write_commit

    def and_then_late(*given: Any) -> str:
        ModelMerge.objects.filter(pk=row.pk).update(fence=99)
        return written(*given)

    monkeypatch.setattr(model_merging, "write_commit", and_then_late)
    model_merging.carry_out(row.pk)
    assert not Discussion.objects.exists()


def test_one_person_has_one_merge_under_way_in_a_repository(family):
    one, user = family[1], make_user()

    def start() -> ModelMerge:
        return start_model_merge(one, actor(user), wanted("team/one", "team/two"))

    started = at_once(*[start] * 4)
    assert sum(isinstance(each, ModelMerge) for each in started) == 1
    with pytest.raises(ConflictError, match="still under way"):
        start()


def test_one_person_has_so_many_merges_under_way_everywhere(family, settings):
    settings.WEIGHTS_WORK_LIMIT = 1
    (_base, one, two), user = family, make_user()
    parts = wanted("team/one", "team/two")
    started = at_once(
        *[lambda to=to: start_model_merge(to, actor(user), parts) for to in (one, two)]
    )
    assert sorted(type(each).__name__ for each in started) == ["ModelMerge", "ThrottledError"]
    start_model_merge(one, actor(make_user()), parts)


def test_relatives_are_offered_as_far_as_they_are_seen(family, team):
    base, one, two = family
    hidden = make_model(team, "hidden", moved(3), readme(base_model="team/base"))
    Repository.objects.filter(pk=hidden.pk).update(visibility="private")
    found = candidates(actor(make_user()), one)
    assert {each.repository.name: each.is_alike for each in found} == {"two": True, "base": True}
    assert common_bases(actor(), [one, two]) == [base]
    assert common_bases(actor(), [one, base]) == [base]


def test_the_pages_ask_check_start_and_show(family, client):
    _base, one, _two = family
    url = f"{one.get_absolute_url()}/merge-models"
    user = make_user()
    assert url not in client.get(one.get_absolute_url()).content.decode()
    assert client.get(url).status_code == 401
    client.force_login(user)
    assert url in client.get(one.get_absolute_url()).content.decode()
    assert url in client.get(f"{one.get_absolute_url()}/lineage").content.decode()
    page = client.get(f"{url}?with=team/two").content.decode()
    assert 'value="team/two"' in page and 'list="family"' in page
    form = {"method": "linear", "model-1": "team/two", "weight-0": "1", "title": "One of two"}
    checked = client.post(url, form | {"check": "1"}).content.decode()
    assert "By their cards all of them come from team/base." in checked
    assert not ModelMerge.objects.exists()
    wrong = client.post(url, form | {"model-1": '"><script>alert(1)</script>/x'})
    assert wrong.status_code == 422 and "<script>alert" not in wrong.content.decode()
    made = client.post(url, form)
    row = ModelMerge.objects.get()
    assert made["Location"] == f"{url}/{row.pk}"
    assert 'hx-select="#model-merge"' in client.get(made["Location"]).content.decode()
    row = done(row)
    page = client.get(made["Location"]).content.decode()
    assert f"{one.get_absolute_url()}/discussions/{row.pull_request_number}" in page
    assert "hx-get" not in page.split('id="model-merge"')[1].split(">")[0]


def test_the_api_starts_and_tells(family, client):
    _base, one, two = family
    user = make_user()
    headers = {"authorization": f"Bearer {make_token(user)}"}
    body = {
        "merge_method": "task_arithmetic",
        "models": [{"model": "team/one"}, {"model": "team/two", "parameters": {"weight": 0.5}}],
        "parameters": {"lambda": 0.5},
    }
    url = f"/api/models/{one}/merges"
    answer = client.post(url, body, content_type="application/json", headers=headers)
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert (told["state"], told["base_model"]["model"]) == ("waiting", "team/base")
    row = done(ModelMerge.objects.get(pk=told["id"]))
    Repository.objects.filter(pk=two.pk).update(visibility="private")
    told = client.get(f"{url}/{row.pk}").json()
    assert told["state"] == "done" and told["pull_request"] == row.pull_request_number
    assert [each["model"] for each in told["models"]] == ["team/one", None]
    assert client.get(f"{url}/999999").status_code == 404
    wrong = client.post(url, {"models": 7}, content_type="application/json", headers=headers)
    assert wrong.status_code == 400
