"""Viewers of model files: tensors, settings, tokenizers, curves; what they cost, who may look."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from safetensors.numpy import save

from hub.actions import readings as asking
from hub.actions.event_runs import labels
from hub.gitstore import AddFile, Entry
from hub.jobs import readings
from hub.jobs.working import due
from hub.models import Access, Visibility
from hub.templatetags.hub_format import count_short
from reviews.jobs import tensor_reading
from reviews.models import TensorReading
from tests.factories import commit_files, make_member, make_repository, make_user
from tests.formats.event_files import event_file
from tests.training.factories import commit, large

pytestmark = pytest.mark.django_db
TINY = Path(__file__).parents[1] / "data" / "tiny-shakespeare-llama"
PAGE_BYTES = 100_000
EVENTS = "events.out.tfevents.1700000000.host"


@pytest.fixture
def model():
    repository = make_repository(visibility=Visibility.PRIVATE)
    held = {f"model.layers.{n}.mlp.up.weight": np.full((2, 3), n, np.float16) for n in range(30)}
    held |= {"model.norm.weight": np.ones(4, np.float32), "head": np.zeros((8, 2), np.float32)}
    commit(repository, [large(repository, "model.safetensors", save(held))])
    return repository


@pytest.fixture
def reader(model, client_for):
    return client_for(make_member(model.namespace, access=Access.READ))


def page_of(client, url: str, **headers: str) -> str:
    response = client.get(url, headers=headers)
    assert response.status_code == 200, url
    assert len(response.content) < PAGE_BYTES
    return response.content.decode()


def test_tensors_are_a_tree_whose_levels_come_when_opened(model, reader):
    url = f"{model.get_absolute_url()}/blob/main/model.safetensors"
    page = page_of(reader, url)
    assert '<span class="tree-name">layers</span>' in page and ">32</dd>" in page
    assert page.index(">2</span>") < page.index(">10</span>"), "numbers in their order"
    tree = url.replace("/blob/", "/tensors/")
    level = page_of(reader, f"{tree}?in=model.layers.7", **{"HX-Request": "true"})
    assert "up" in level and "<html" not in level and "layers.8" not in level
    without = page_of(reader, f"{tree}?in=model.layers.7")
    assert "<html" in without and "All modules" in without
    found = page_of(reader, f"{tree}?q=layers+29", **{"HX-Request": "true"})
    assert "model.layers.29.mlp.up.weight" in found and "1 tensor found." in found


def test_numbers_of_a_tensor_are_read_once_by_a_worker(model, reader, client_for):
    url = f"{model.get_absolute_url()}/tensors/main/model.safetensors"
    name = "model.layers.3.mlp.up.weight"
    asked = reader.post(url, {"tensor": name}, headers={"HX-Request": "true"}).content.decode()
    assert "A worker is reading this tensor." in asked and 'hx-trigger="every 1s"' in asked
    reader.post(url, {"tensor": name})
    row = TensorReading.objects.get()
    assert due(TensorReading.objects.all()) == [row.pk]
    tensor_reading.carry_out(row.pk)
    tensor_reading.carry_out(row.pk)
    row.refresh_from_db()
    assert (row.state, row.fence, row.numbers["mean"]) == ("done", 1, 3.0)
    shown = page_of(reader, f"{url}?tensor={name}")
    assert "Standard deviation" in shown and "histograms" in shown and "every 1s" not in shown
    # The same bytes in another repository: its readers find the numbers there.
    other = make_repository()
    content = model.blobs().open(row.digest).read()
    commit(other, [large(other, "elsewhere.safetensors", content)])
    there = f"{other.get_absolute_url()}/tensors/main/elsewhere.safetensors?tensor={name}"
    assert "Standard deviation" in page_of(client_for(), there)


def test_who_may_not_read_sees_nothing_and_strangers_ask_for_nothing(model, client_for):
    url = f"{model.get_absolute_url()}/tensors/main/model.safetensors"
    for person in (None, make_user()):
        client = client_for(person)
        assert client.get(f"{url}?tensor=head").status_code == 404
        assert client.post(url, {"tensor": "head"}).status_code == 404
    open_one = make_repository()
    commit(open_one, [large(open_one, "a.safetensors", save({"a": np.ones(2)}))])
    there = f"{open_one.get_absolute_url()}/tensors/main/a.safetensors"
    assert "Sign in to have it read." in page_of(client_for(), f"{there}?tensor=a")
    assert client_for().post(there, {"tensor": "a"}).status_code in (302, 401)
    assert not TensorReading.objects.exists()
    assert client_for(make_user()).get(f"{there}?tensor=b").status_code == 404


def test_one_person_asks_for_so_many_tensors_at_a_time(model, reader, settings):
    settings.TENSOR_READINGS_LIMIT = 1
    url = f"{model.get_absolute_url()}/tensors/main/model.safetensors"
    assert reader.post(url, {"tensor": "head"}).status_code == 302
    assert reader.post(url, {"tensor": "model.norm.weight"}).status_code == 429
    assert reader.post(url, {"tensor": "head"}).status_code == 302, "asked for already"


def test_shards_are_one_model_and_large_ones_stay_small_pages(client_for):
    repository = make_repository()
    halves = [
        {f"model.layers.{n}.{part}.weight": np.zeros((2, 2), np.float16) for part in "abcdefghij"
         for n in range(start, start + 250)}
        for start in (0, 250)
    ]  # fmt: skip
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    where = {key: name for half, name in zip(halves, names, strict=True) for key in half}
    index = json.dumps({"metadata": {}, "weight_map": where}).encode()
    files = [large(repository, n, save(half)) for n, half in zip(names, halves, strict=True)]
    commit(repository, [*files, AddFile("model.safetensors.index.json", index)])
    client, url = client_for(), f"{repository.get_absolute_url()}/blob/main"
    whole = page_of(client, f"{url}/model.safetensors.index.json")
    assert ">5000</dd>" in whole and ">2</dd>" in whole
    level = page_of(
        client, f"{url.replace('/blob/', '/tensors/')}/model.safetensors.index.json?in=model.layers"
    )
    assert "and 420 more" in level
    shard = page_of(client, f"{url}/{names[0]}")
    assert ">2500</dd>" in shard and "See the model as one" in shard
    queries = CaptureQueriesContext(connection)
    with queries:
        page_of(client, f"{url}/model.safetensors.index.json")
    assert len(queries) <= 8


def test_a_broken_file_says_why(client_for):
    repository = make_repository(
        files={"a.safetensors": b"\x02\0\0\0\0\0\0\0[]", "b.gguf": b"GGUF"}
    )
    for name in ("a.safetensors", "b.gguf"):
        page = page_of(client_for(), f"{repository.get_absolute_url()}/blob/main/{name}")
        assert "These tensors cannot be read" in page


@pytest.mark.parametrize(
    ("header", "words", "chinese"),
    [
        (
            struct.pack("<4sIQQ", b"GGUF", 3, 1 << 40, 0),
            "This file cannot be read: the header holds more than can be",
            "无法读取 此文件：文件头的内容超出可能的范围",
        ),
        (b"GGUF" + bytes(4), "its version is not known here", "此处不认识它的版本"),
        (b"none", "it is no GGUF file", "它不是 GGUF 文件"),
    ],
)
def test_why_a_gguf_file_is_not_read_is_a_sentence(client_for, header, words, chinese):
    repository = make_repository(files={"b.gguf": header})
    url = f"{repository.get_absolute_url()}/blob/main/b.gguf"
    for _ in range(2):  # read, then kept
        page = page_of(client_for(), url)
        assert words in page and "header_unreadable" not in page and ">↓<" not in page
    spoken = client_for().get(url, headers={"accept-language": "zh-Hans"}).content.decode()
    assert chinese in spoken


@pytest.mark.parametrize(
    ("paths", "called"),
    [
        ([f"{EVENTS}.1"], [f"{EVENTS}.1"]),
        ([f"runs/a/{EVENTS}.1"], ["a"]),
        ([f"{EVENTS}.1", f"runs/a/{EVENTS}.1"], [f"{EVENTS}.1", "runs/a"]),
        ([f"runs/{EVENTS}.1", f"runs/a/{EVENTS}.1"], ["runs", "a"]),
        ([f"runs/a/{EVENTS}.1", f"runs/b/{EVENTS}.1"], ["a", "b"]),
        ([f"a/{EVENTS}.1", f"a/{EVENTS}.2"], [f"{EVENTS}.1", f"{EVENTS}.2"]),
    ],
)
def test_every_run_of_a_chart_has_a_name(paths, called):
    assert labels([Entry(path, "file", "", 0, "100644") for path in paths]) == called


def test_settings_are_explained_and_counted(client_for):
    files = {path.name: path.read_bytes() for path in TINY.iterdir() if path.suffix != ".md"}
    files["tokenizer_config.json"] = json.dumps(
        {"chat_template": "{% for m in messages %}<b>{{ m }}</b>{% endfor %}", "odd<key>": [1]}
    ).encode()
    repository = make_repository(files=files)
    client, url = client_for(), f"{repository.get_absolute_url()}/blob/main"
    page = page_of(client, f"{url}/config.json")
    assert "How many heads attention has in a layer." in page
    counted = sum(array.size for array in _tiny_tensors().values())
    assert "Parameters, counted in the tensors" in page and count_short(counted) in page
    assert page.count('<small class="muted">+') == 0, "the estimate is what is there"
    assert "How many heads" not in page_of(client, f"{url}/config.json?plain")
    template = page_of(client, f"{url}/tokenizer_config.json")
    assert "&lt;b&gt;" in template and "<b>{{" not in template and "odd&lt;key&gt;" in template
    broken = make_repository(files={"config.json": b"{"})
    assert "cannot be explained" in page_of(
        client, f"{broken.get_absolute_url()}/blob/main/config.json"
    )


def _tiny_tensors():
    from safetensors.numpy import load_file

    return load_file(TINY / "model.safetensors")


def test_a_vocabulary_is_searched_and_paged(client_for):
    repository = make_repository(files={"tokenizer.json": (TINY / "tokenizer.json").read_bytes()})
    url = f"{repository.get_absolute_url()}/vocabulary/main/tokenizer.json"
    vocabulary = json.loads((TINY / "tokenizer.json").read_bytes())["model"]["vocab"]
    client = client_for()
    assert f'<dd class="num">{len(vocabulary)}' in page_of(client, url)
    token = next(token for token in vocabulary if len(token) > 4 and token.isalpha())
    found = page_of(client, f"{url}?q={token}", **{"HX-Request": "true"})
    assert f"<code>{token}</code>" in found and "<html" not in found
    assert "No token holds that" in page_of(client, f"{url}?q=zzqqxx")
    assert client.get(url.replace("tokenizer.json", "README.md")).status_code == 404


def test_a_large_tokenizer_is_read_by_a_worker_whose_answer_is_kept(client_for, monkeypatch):
    rung = []
    monkeypatch.setattr(asking.read_file, "delay", lambda *told: rung.append(told))
    vocabulary = {f"token{number}": number for number in range(70_000)}
    content = json.dumps({"model": {"type": "BPE", "vocab": vocabulary, "merges": []}}).encode()
    repository = make_repository()
    commit(repository, [large(repository, "tokenizer.json", content)])
    client, url = client_for(), f"{repository.get_absolute_url()}/blob/main/tokenizer.json"
    assert 'hx-trigger="every 2s"' in page_of(client, url) and len(rung) == 1
    page_of(client, url)
    assert len(rung) == 1, "one message, however often the page asks"
    readings.carry_out(*rung[0])
    readings.carry_out(*rung[0])
    assert "70000" in page_of(client, url)
    readings.carry_out(repository.pk, "tokenizer", "0" * 40, "gone.json")


def test_curves_of_several_runs_lie_over_each_other(client_for):
    files = {
        "runs/a/events.out.tfevents.1": event_file({"train/loss": [3, 2, 1], "lr": [0.1, 0.2]}),
        "runs/b/events.out.tfevents.1": event_file({"train/loss": [4, 3, 2]}),
        "runs/b/events.out.tfevents.2": b"no events",
    }
    repository = make_repository(files=files)
    client, url = client_for(), repository.get_absolute_url()
    one = page_of(client, f"{url}/blob/main/runs/a/events.out.tfevents.1")
    assert one.count("data-loss-chart") == 2 and "2 curves" in one and "/events/main/runs/a" in one
    both = page_of(client, f"{url}/events/main/runs?q=loss")
    assert both.count("data-loss-chart") == 1 and "This is no file of TensorBoard events." in both
    assert "[[0,4.0],[1,3.0],[2,2.0]]" in both.replace("&quot;", '"')
    smooth = page_of(client, f"{url}/events/main/runs?q=loss&smooth=0.9")
    assert "[[0,4.0],[1,3.0],[2,2.0]]" not in smooth
    commit_files(repository, {"none.tfevents": event_file({})})
    assert "No numbers were logged" in page_of(client, f"{url}/blob/main/none.tfevents")
