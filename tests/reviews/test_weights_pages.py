"""The weights of a proposal on its page: words, table, one tensor, comments, the checklist."""

from __future__ import annotations

import json

import numpy as np
import pytest
from django.test import Client
from safetensors.numpy import save

from hub.errors import ConflictError
from hub.gitstore import AddFile
from hub.jobs.working import due
from hub.models import Access, Kind, Repository, Visibility
from hub.templatetags.hub_format import plain_number
from reviews.actions.merging import merge_pull_request
from reviews.actions.requirements import checklist
from reviews.actions.weights import request_comparison, sides_of
from reviews.changes import change_of
from reviews.jobs.comparing import carry_out
from reviews.jobs.pushes import record_push
from reviews.models import Discussion, WeightsComparison
from tests.factories import actor, make_member, make_repository, make_user
from tests.reviews.factories import make_pull_request
from tests.reviews.test_weights_comparing import EDITED, changed, model, rank_four  # noqa: F401
from tests.training.factories import commit, large

pytestmark = pytest.mark.usefixtures("transactional_db")


def proposed(model: Repository, edit) -> Discussion:  # noqa: F811
    row = make_pull_request(model)
    changed(model, edit, row.ref)
    return pushed(model, row)


def pushed(model: Repository, row: Discussion) -> Discussion:  # noqa: F811
    record_push(model, row.number, by=row.author)
    row.refresh_from_db()
    row.repository = model
    return row


def compare(row: Discussion) -> WeightsComparison:
    sides = sides_of(row.repository, change_of(row))
    assert sides is not None
    comparison = request_comparison(*sides)
    carry_out(comparison.pk)
    comparison.refresh_from_db()
    return comparison


def line(row: Discussion) -> tuple[str, str]:
    (found,) = [each for each in checklist(row).lines if each.key == "weights"]
    return found.state.value, str(found.detail)


def test_the_tab_says_what_where_how_much_and_whether_it_is_safe(model, client: Client):  # noqa: F811
    row = proposed(model, rank_four)
    waiting = client.get(f"{row.get_absolute_url()}/weights").content.decode()
    assert 'hx-trigger="every 2s"' in waiting and "numbers come" in waiting
    assert line(row) == ("running", "Being read.")
    compare(row)
    page = client.get(f"{row.get_absolute_url()}/weights?tensor={EDITED}").content.decode()
    assert "LoRA-like change of rank 4 in q_proj, layer 1" in page
    assert "No NaN and nothing infinite." in page
    assert "The embeddings are untouched." in page
    assert 'id="tensor"' in page and "Spectrum of the change" in page
    heat = page.split('id="heat"')[1].split("</section>")[0]
    assert 'aria-label="layer 1, q_proj: ' in heat, "the heat map's cell is read out"
    assert 'role="img" aria-label="layer 0, q_proj: same"' in heat
    assert '<th scope="row">q_proj</th><td class="right num">same</td>' in heat, "and a table"
    assert "hx-trigger" not in page.split('id="weights"')[1].split(">")[0]
    assert line(row) == ("met", "1 of 38 tensors changed; no NaN, nothing infinite.")


def test_a_colour_of_the_heat_map_means_the_same_in_every_pull_request(model, client: Client):  # noqa: F811
    def slight(held: dict[str, np.ndarray]) -> None:
        held[EDITED] *= np.float32(1.0005)

    def strong(held: dict[str, np.ndarray]) -> None:
        held[EDITED] *= np.float32(1.02)

    for edit, level in ((slight, 4), (strong, 6)):
        row = proposed(model, edit)
        compare(row)
        page = client.get(f"{row.get_absolute_url()}/weights").content.decode()
        assert page.split('class="chart"')[1].count(f'"><rect class="heat-{level}" ') == 1


def test_nan_that_was_there_before_stops_nothing_and_is_not_denied(model):  # noqa: F811
    def broken(held: dict[str, np.ndarray]) -> None:
        held[EDITED][0, 0] = np.nan

    def more(held: dict[str, np.ndarray]) -> None:
        broken(held)
        held[EDITED][1] *= 2

    changed(model, broken)
    row = proposed(model, more)
    compare(row)
    told = "1 of 38 tensors changed; what is not finite was so before."
    assert line(row) == ("met", told)


def test_broken_factors_of_an_adapter_block_by_the_name_of_their_tensor(model):  # noqa: F811
    at = "base_model.model." + EDITED.removesuffix(".weight")
    factors = {
        f"{at}.lora_A.weight": np.ones((2, 192), dtype=np.float32),
        f"{at}.lora_B.weight": np.ones((192, 2), dtype=np.float32),
    }
    factors[f"{at}.lora_A.weight"][1, 3] = np.nan
    row = with_adapter(model, factors)
    assert not compare(row).error
    assert line(row) == ("failed", f"1 problem: {EDITED}.")
    row = with_adapter(model, {f"{at}.lora_A.weight": np.ones((2, 192), dtype=np.float32)})
    compare(row)
    assert line(row) == ("failed", f"1 problem: {EDITED.removesuffix('.weight')}.")


def with_adapter(repository, factors: dict[str, np.ndarray]) -> Discussion:
    settings = {"peft_type": "LORA", "r": 2, "lora_alpha": 2, "target_modules": ["q_proj"]}
    files = [
        AddFile("adapter_config.json", json.dumps(settings).encode()),
        large(repository, "adapter_model.safetensors", save(factors)),
    ]
    row = make_pull_request(repository)
    commit(repository, files, row.ref)
    return pushed(repository, row)


def test_a_nan_blocks_the_merge_by_name(model):  # noqa: F811
    def broken(held: dict[str, np.ndarray]) -> None:
        held[EDITED][0, 0] = np.inf

    row = proposed(model, broken)
    compare(row)
    assert line(row) == ("failed", f"1 problem: {EDITED}.")
    assert not checklist(row).is_met


def test_a_change_without_weights_has_neither_tab_nor_line(model, client: Client):  # noqa: F811
    row = make_pull_request(model)
    assert [each.key for each in checklist(row).lines if each.key == "weights"] == []
    assert "/weights" not in client.get(row.get_absolute_url()).content.decode()
    page = client.get(f"{row.get_absolute_url()}/weights").content.decode()
    assert "No weights change here" in page


def test_a_comment_belongs_to_its_tensor(model, client: Client):  # noqa: F811
    row = proposed(model, rank_four)
    compare(row)
    client.force_login(make_member(model.namespace, access=Access.READ))
    url = f"{row.get_absolute_url()}/weights"
    said = client.post(f"{url}/comment", {"tensor": EDITED, "comment": "Why **only** this one?"})
    assert said.status_code == 302
    drawer = client.get(f"{url}?tensor={EDITED}").content.decode()
    assert "Why <strong>only</strong> this one?" in drawer
    assert "1 comment" in drawer
    other = client.get(f"{url}?tensor=model.norm.weight").content.decode()
    assert "this one?" not in other
    conversation = client.get(row.get_absolute_url()).content.decode()
    assert f"?tensor={EDITED}" in conversation
    assert client.post(f"{url}/comment", {"tensor": "nothing", "comment": "x"}).status_code == 404


def test_a_comment_belongs_to_its_layer(model, client: Client):  # noqa: F811
    row = proposed(model, rank_four)
    compare(row)
    client.force_login(make_member(model.namespace, access=Access.READ))
    url = f"{row.get_absolute_url()}/weights"
    said = client.post(f"{url}/comment", {"layer": "1", "comment": "Why only **this** layer?"})
    assert said["Location"] == f"{url}?layer=1#layer"
    panel = client.get(f"{url}?layer=1").content.decode().split('id="layer"')[1]
    panel = panel.split('id="tensors"')[0]
    assert "Layer 1" in panel and "1 of 9 tensors" in panel
    assert panel.index(EDITED) < panel.index("mlp.up_proj"), "what changed most comes first"
    assert "Why only <strong>this</strong> layer?" in panel
    assert "this</strong> layer" not in client.get(f"{url}?layer=0").content.decode()
    assert "this</strong> layer" not in client.get(f"{url}?tensor={EDITED}").content.decode()
    assert "?layer=1#layer" in client.get(row.get_absolute_url()).content.decode()
    for layer in ("77", "x", "None"):
        refused = client.post(f"{url}/comment", {"layer": layer, "comment": "x"})
        assert refused.status_code == 404
    assert 'id="layer"' not in client.get(f"{url}?layer=77").content.decode()


def test_table_filters_and_sorts(model, client: Client):  # noqa: F811
    def edit(held: dict[str, np.ndarray]) -> None:
        rank_four(held)
        held["model.norm.weight"] = held["model.norm.weight"] * np.float32(1.001)

    row = proposed(model, edit)
    comparison = compare(row)
    url = f"{row.get_absolute_url()}/weights"

    def names(query: str) -> list[str]:
        table = client.get(f"{url}?{query}").content.decode().split('id="tensors"')[1]
        return [part.split("</code>")[0] for part in table.split("<code>")[1:]]

    assert set(names("")) == {EDITED, "model.norm.weight"}
    assert names("sort=relative") == [EDITED, "model.norm.weight"]
    assert names("sort=outliers&show=all")[:2] == [EDITED, "model.norm.weight"]
    assert names("layer=1&module=q_proj") == [EDITED]
    assert names("q=NORM") == ["model.norm.weight"]
    assert len(names("show=all")) == 38
    kept = comparison.structure
    before, after = next(each["outliers"] for each in kept if each["name"] == EDITED)
    said = f"{plain_number(before)} → {plain_number(after)}"
    assert said in client.get(url).content.decode()


def test_any_two_revisions_can_be_compared(model, client: Client):  # noqa: F811
    base = model.store().resolve("main")
    oid = changed(model, rank_four)
    url = f"{model.get_absolute_url()}/weights"
    query = f"?base={base}&candidate={oid}"
    assert "Nobody has compared" in client.get(url + query).content.decode()
    assert WeightsComparison.objects.count() == 0, "a visitor's look starts no work"
    client.force_login(make_member(model.namespace, access=Access.READ))
    client.post(url, {"base": base, "candidate": oid})
    comparison = WeightsComparison.objects.get()
    carry_out(comparison.pk)
    assert "LoRA-like change of rank 4" in client.get(url + query).content.decode()
    answer = client.get(f"/api/models/{model.repo_id}/weights{query}&tensor={EDITED}").json()
    assert answer["state"] == "done" and answer["tensor"]["spectrum"]["rank"] == 4
    same = client.get(f"{url}?base={base}&candidate={base}").content.decode()
    assert "The weights of both are the same" in same


def wide(layers: int, modules: int) -> list[dict[str, object]]:
    """What a comparison tells of a model of `layers` times `modules` tensors, all changed."""
    return [
        {
            "name": f"model.layers.{layer}.mlp.part_{'abcdefghijklmnopqrstuvwxyz'[module % 26]}"
            f"{'x' * (module // 26)}_proj.weight",
            "kind": "changed", "shapes": [[4096, 4096]] * 2, "dtypes": ["BF16"] * 2,
            "renamed_from": None, "swapped_with": None, "rows_added": 0, "moved_file": False,
            "key": ["0" * 64, f"{layer:032}{module:032}"], "relative": 0.01 * (1 + module),
            "base_norm": 64.0, "change_norm": 0.64 * (1 + module), "cosine": 0.999, "rank": 8,
            "max_change": 0.01, "changed_share": 0.5,
        }
        for layer in range(layers) for module in range(modules)
    ]  # fmt: skip


def test_a_model_of_thousands_of_tensors_has_a_small_page(model, client: Client):  # noqa: F811
    row = proposed(model, rank_four)
    comparison = compare(row)
    url = f"{row.get_absolute_url()}/weights"
    comparison.structure = wide(layers=128, modules=39)
    comparison.save(update_fields=["structure"])
    page = client.get(url)
    text = page.content.decode()
    assert len(page.content) < 300_000
    assert "layers 0–3, part_mx_proj" in text, "layers stand together"
    assert "15 more modules changed less" in text
    together = client.get(f"{url}?layer=4-7&module=part_mx_proj").content.decode()
    assert together.split('id="tensors"')[1].count("<tr>") == 1 + 4
    assert "Layers 4–7" in together


def copied(model: Repository, **traits) -> Repository:  # noqa: F811
    """Another model of somebody else's with the same files, and an edit on top."""
    other = make_repository(**traits)
    weights = model.blobs().path(
        model.store().entry(model.store().resolve("main"), "model.safetensors").lfs.sha256
    )
    commit(other, [large(other, "model.safetensors", weights.read_bytes())])
    changed(other, rank_four)
    return other


def test_weights_of_two_models_can_be_compared(model, client: Client):  # noqa: F811
    other = copied(model)
    url, pair = f"{model.get_absolute_url()}/weights", {"candidate": f"{other.repo_id}@main"}
    client.force_login(make_user())
    assert client.post(url, {"base": "main", **pair}).status_code == 302
    comparison = WeightsComparison.objects.get()
    assert comparison.candidate_repository == other
    carry_out(comparison.pk)
    page = client.get(url, pair | {"tensor": EDITED}).content.decode()
    assert "LoRA-like change of rank 4" in page and 'id="tensor"' in page
    answer = client.get(f"/api/models/{model.repo_id}/weights", pair).json()
    assert answer["state"] == "done"
    named = client.get(url, {"candidate": f"{other.repo_id}@"}).content.decode()
    assert "LoRA-like change of rank 4" in named, "no revision is the default branch"


@pytest.mark.parametrize(
    ("traits", "status"),
    [({"visibility": Visibility.PRIVATE}, 404), ({"gated": "manual"}, 403)],
)
def test_another_model_s_weights_are_for_those_who_may_read_them(
    model,  # noqa: F811
    client: Client,
    traits,
    status,
):
    other = copied(model, **traits)
    url, api = f"{model.get_absolute_url()}/weights", f"/api/models/{model.repo_id}/weights"
    for pair in (
        {"base": "main", "candidate": f"{other.repo_id}@main"},
        {"base": f"{other.repo_id}@main", "candidate": "main"},
    ):
        client.force_login(make_user())
        assert client.get(url, pair).status_code == status
        assert client.post(url, pair).status_code == status
        assert client.get(api, pair).status_code == status
        assert client.post(api, pair, content_type="application/json").status_code == status
        assert not WeightsComparison.objects.exists()
    client.force_login(make_member(other.namespace, access=Access.READ))
    assert client.get(url, pair).status_code == 200
    missing = {"base": "main", "candidate": "nobody/nothing@main"}
    assert client.get(url, missing).status_code == 404


def test_pickles_beside_the_weights_are_told_and_do_not_stop_a_merge(model, client: Client):  # noqa: F811
    row = make_pull_request(model, files={"pytorch_model.bin": b"never opened"})
    compare(row)
    assert line(row)[0] == "met"
    page = client.get(f"{row.get_absolute_url()}/weights").content.decode()
    assert "pytorch_model.bin can run code when it is opened" in page
    assert "This must not be merged" not in page


def test_files_of_a_data_set_are_no_weights():
    data = make_repository(kind=Kind.DATASET)
    row = make_pull_request(data, files={"frames.bin": b"x", "table.pt": b"x"})
    assert [each.key for each in checklist(row).lines if each.key == "weights"] == []


def test_a_target_that_moved_its_weights_is_read_anew_when_somebody_merges(model):  # noqa: F811
    commit(model, [large(model, "more/model.safetensors", save({"w": np.ones(4, np.float32)}))])
    row = proposed(model, rank_four)
    compare(row)
    other = save({"w": np.zeros(4, np.float32)})
    commit(model, [large(model, "more/model.safetensors", other)])
    owner = make_member(model.namespace, access=Access.ADMIN)
    model.access = Access.ADMIN
    with pytest.raises(ConflictError, match="Being read"):
        merge_pull_request(row, actor(owner))
    for pk in due(WeightsComparison.objects.all()):
        carry_out(pk)
    assert merge_pull_request(row, actor(owner))
