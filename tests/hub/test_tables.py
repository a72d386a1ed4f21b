"""Rows of data sets: pages, search, statistics, rights, and work that survives its workers."""

from __future__ import annotations

import io
import json
import re
from datetime import datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hub.actions import access_requests, tables
from hub.gitstore import AddPointer
from hub.jobs import tables as jobs
from hub.jobs import working
from hub.models import Access, Kind, Repository, TableFacts, Visibility, WorkState
from tests.factories import (
    TESTER,
    actor,
    commit_files,
    make_member,
    make_organization,
    make_repository,
    make_user,
)
from tests.hub.transfers import upload

pytestmark = pytest.mark.django_db
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


@pytest.fixture
def team():
    return make_organization()


def dataset(team: Any, files: dict[str, bytes], **values: Any) -> Repository:
    return make_repository(team, files=files, kind=Kind.DATASET, **values)


def lines(count: int, **more: Any) -> bytes:
    rows = (
        {"id": at, "text": f"sentence {at}", "even": at % 2 == 0, **more} for at in range(count)
    )
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def page(client: Any, repository: Repository, **query: Any) -> str:
    response = client.get(f"/{repository.path}/viewer?{urlencode(query, doseq=True)}")
    assert response.status_code == 200
    return response.content.decode()


def rows(client: Any, repository: Repository, **query: Any) -> Any:
    response = client.get(f"/{repository.api_path}/rows?{urlencode(query)}")
    assert response.status_code == 200, response.content
    return response.json()


def add_large(client: Any, repository: Repository, path: str, content: bytes) -> None:
    """Upload a large file and commit its pointer, as clients do."""
    file = upload(client, repository, content)
    store, pointer = repository.store(), AddPointer(path, file.sha256, len(content))
    head = store.resolve("main")
    store.commit(
        ref="refs/heads/main", parent=head, operations=[pointer], message="Add", author=TESTER,
        expect=head,
    )  # fmt: skip


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, **options)
    return sink.getvalue()


def test_a_split_is_paged_searched_and_filtered(team, client_for, api_for):
    repository = dataset(team, {"train.jsonl": lines(60), "test.jsonl": lines(1)})
    text = page(client_for(), repository)
    assert "sentence 24" in text and "sentence 25" not in text
    assert "Rows 0 to 24 of 60" in text and "from=25" in text
    assert "sentence 59" in page(client_for(), repository, **{"from": 50})
    assert "sentence 41" in page(client_for(), repository, q="SENTENCE 41")
    kept = rows(api_for(), repository, column="id", operator="ge", value="58")["rows"]
    assert [each["row_idx"] for each in kept] == [58, 59]
    found = rows(api_for(), repository, query="sentence 5", length=2)
    assert [each["row_idx"] for each in found["rows"]] == [5, 50]
    assert found["next_offset"] == 51 and found["num_rows_total"] is None
    assert [e["row_idx"] for e in rows(api_for(), repository, offset=57)["rows"]] == [57, 58, 59]
    chosen = page(client_for(), repository, c=["id", "even"], o=["le", "eq"], v=["3", "false"])
    assert "sentence 3" in chosen and "sentence 2<" not in chosen and "sentence 5" not in chosen


def test_a_row_stands_alone_with_all_of_a_long_value(team, client_for):
    long = "beginning " + "x" * 5000 + " end"
    repository = dataset(team, {"train.jsonl": json.dumps({"text": long}).encode() + b"\n"})
    assert "x end" not in page(client_for(), repository)
    alone = page(client_for(), repository, row=0)
    assert long in alone
    assert "no such row" in page(client_for(), repository, row=7)


def test_splits_and_statistics_have_the_shapes_of_the_public_hub(team, api_for):
    card = (
        b"---\nconfigs:\n- config_name: en\n  data_files:\n  - split: train\n"
        b"    path: 'en/*.jsonl'\n- config_name: zh\n  data_files: zh.csv\n---\n"
    )
    files = {"README.md": card, "en/a.jsonl": lines(3), "en/b.jsonl": lines(2), "zh.csv": b"a\n1\n"}
    repository = dataset(team, files)
    base = f"/{repository.api_path}"
    splits = api_for().get(f"{base}/splits").json()["splits"]
    assert [(each["config"], each["split"]) for each in splits] == [
        ("en", "train"),
        ("zh", "train"),
    ]
    # Two files are one table.
    told = rows(api_for(), repository, config="en", offset=2)
    assert [each["row"]["id"] for each in told["rows"]] == [2, 0, 1]
    assert told["num_rows_total"] == 5
    answer = api_for().get(f"{base}/statistics?config=en").json()
    assert (answer["state"], answer["num_examples"], answer["partial"]) == ("done", 5, False)
    number = answer["statistics"][0]["column_statistics"]
    assert (number["min"], number["max"], number["mean"]) == (0, 2, 0.8)
    assert sum(number["histogram"]["hist"]) == 5
    assert api_for().get(f"{base}/rows?split=none").status_code == 404
    assert api_for().get(f"{base}/rows?offset=-1").status_code == 400
    assert api_for().get(f"{base}/rows?column=id&operator=like").status_code == 400


def test_a_large_parquet_is_worked_out_by_a_worker(team, api_for, client_for, settings):
    owner = make_member(team, access=Access.ADMIN)
    repository = dataset(team, {})
    count = 40_000
    content = parquet({"id": list(range(count)), "text": [f"{at:032d}" for at in range(count)]})
    add_large(api_for(owner), repository, "data/train-00000-of-00001.parquet", content)
    text = page(client_for(), repository)
    assert "of 40,000" in text and "every 2s" in text  # the footer says how many
    row = TableFacts.objects.get()
    assert row.state == WorkState.WAITING
    assert "39999" in page(client_for(), repository, **{"from": count - 5})
    jobs.work_out(row.pk)
    row.refresh_from_db()
    assert (row.state, row.counts, row.counted_rows) == (WorkState.DONE, [count], count)
    assert row.columns[0]["numbers"]["mean"] == (count - 1) / 2
    fragment = client_for().get(f"/{repository.path}/viewer/columns").content.decode()
    assert "hx-get" not in fragment and "Histogram" in fragment


def test_marks_lead_into_a_large_text_file(team, api_for):
    owner = make_member(team, access=Access.ADMIN)
    repository = dataset(team, {})
    add_large(api_for(owner), repository, "train.jsonl", lines(20_000, pad="x" * 60))
    rows(api_for(), repository)
    row = TableFacts.objects.get()
    jobs.work_out(row.pk)
    row.refresh_from_db()
    assert row.rows == 20_000 and len(row.marks[0]) > 10
    found = rows(api_for(), repository, offset=19_990, length=20)["rows"]
    assert [each["row"]["id"] for each in found] == list(range(19_990, 20_000))


def test_work_survives_a_dead_worker_and_is_done_once(team, settings):
    repository = dataset(team, {"train.csv": b"a\n" + b"1\n" * 300_000})
    table = tables.split_table(repository, repository.store().resolve("main"))
    row = tables.facts_of(table)
    assert row.state == WorkState.WAITING and tables.facts_of(table).pk == row.pk
    # A worker takes it and is killed; another one waits for the lease, then goes on.
    dead = TableFacts.objects.claim(row.pk)
    assert dead is not None
    jobs.work_out(row.pk)
    assert (
        TableFacts.objects.get().state == WorkState.RUNNING
        and working.due(TableFacts.objects.all()) == []
    )
    TableFacts.objects.update(lease_ends_at=timezone.now() - timedelta(seconds=1))
    assert working.due(TableFacts.objects.all()) == [row.pk]
    jobs.work_out(row.pk)
    done = TableFacts.objects.get()
    assert (done.state, done.counts, done.fence) == (WorkState.DONE, [300_000], 2)
    # What the first one writes, should it wake up, reaches nothing.
    assert TableFacts.objects.held(dead).update(state=WorkState.FAILED) == 0
    jobs.work_out(row.pk)
    assert TableFacts.objects.get().fence == 2


def test_a_table_that_kills_every_worker_is_left_alone(team):
    repository = dataset(team, {"train.csv": b"a\n" + b"1\n" * 300_000})
    row = tables.facts_of(tables.split_table(repository, repository.store().resolve("main")))
    for _attempt in range(3):
        assert TableFacts.objects.claim(row.pk)
        TableFacts.objects.update(lease_ends_at=timezone.now() - timedelta(seconds=1))
    assert TableFacts.objects.claim(row.pk) is None
    assert working.due(TableFacts.objects.all()) == []
    assert TableFacts.objects.get().state == WorkState.FAILED
    TableFacts.objects.update(used_at=timezone.now() - timedelta(days=30))
    assert jobs.forget() == 1


def test_rows_follow_the_rights_to_files(team, client_for, api_for):
    secret = b"text\nonly for those who were let in\n"
    repository = dataset(team, {"train.csv": secret}, gated="manual")
    paths = ("viewer", "viewer/columns", "blob/main/train.csv")
    accepted, stranger = make_user(), make_user()
    owner = make_member(team, access=Access.ADMIN)
    access_requests.ask(repository, actor(accepted), {})
    access_requests.decide(repository, actor(owner), user=accepted.username, status="accepted")
    for path in paths:
        refused = client_for(stranger).get(f"/{repository.path}/{path}")
        assert refused.status_code == 403 and b"let in" not in refused.content
        assert client_for(accepted).get(f"/{repository.path}/{path}").status_code == 200
    for name in ("rows", "splits", "first-rows", "statistics"):
        assert api_for(stranger).get(f"/{repository.api_path}/{name}").status_code == 403
        assert api_for(accepted).get(f"/{repository.api_path}/{name}").status_code == 200
    Repository.objects.filter(pk=repository.pk).update(gated="", visibility=Visibility.PRIVATE)
    assert client_for(stranger).get(f"/{repository.path}/viewer").status_code == 404


def test_pictures_in_rows_are_sent_as_what_their_bytes_say(team, client_for):
    media = pa.array(
        [
            {"bytes": PNG, "path": "a.html"},
            {"bytes": b"<script>alert(1)</script>", "path": "b.png"},
        ],
        type=pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    )
    repository = dataset(team, {"train.parquet": parquet({"image": media})})
    text = page(client_for(), repository)
    assert text.count("<img src=") == 1
    address = f"/{repository.path}/viewer/media?column=image&row="
    sent = client_for().get(f"{address}0")
    assert (sent["Content-Type"], sent.content) == ("image/png", PNG)
    assert "sandbox" in sent["Content-Security-Policy"]
    for wrong in ("1", "2", "-1", "x"):
        assert client_for().get(f"{address}{wrong}").status_code == 404


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train.parquet", b"PAR1 no parquet PAR1"),
        ("train.csv", b""),
        ("train.csv", "a,b".encode("utf-16")),
        ("train.jsonl.gz", b"\x1f\x8b broken"),
        ("train.jsonl", b"{broken\n\xff\xfe\n[" + b"[" * 100_000 + b"\n"),
        ("train.json", b"[1, 2"),
        ("train.arrow", b"ARROW1 and nothing"),
    ],
)
def test_broken_files_say_so(team, client_for, api_for, name, content):
    repository = dataset(team, {name: content})
    assert page(client_for(), repository)
    assert api_for().get(f"/{repository.api_path}/rows").status_code in (200, 400)
    assert client_for().get(f"/{repository.path}/blob/main/{name}").status_code == 200


def test_what_rows_say_is_text(team, client_for):
    bad = '<script>alert(1)</script><img src=x onerror="alert(2)">'
    row = {bad: bad, "list": [bad], "lone": "\ud800", "zero": "\0"}
    repository = dataset(team, {"train.jsonl": json.dumps(row).encode() + b"\n"})
    for query in ({}, {"row": 0}, {"q": bad}, {"c": bad, "o": "eq", "v": bad}):
        text = page(client_for(), repository, **query)
        assert "<script>alert" not in text and "<img src=x" not in text


def test_a_csv_file_is_a_table_with_its_source_one_step_away(team, client_for):
    repository = make_repository(
        team, files={"scores.csv": b"name,score\nada,1\n", "c.json": b"[]"}
    )
    address = f"/{repository.path}/blob/main/scores.csv"
    shown = client_for().get(address).content.decode()
    assert 'class="data"' in shown and "?plain" in shown
    source = client_for().get(f"{address}?plain").content.decode()
    assert 'class="data"' not in source and "name,score" in source
    assert (
        'class="data"'
        not in client_for().get(f"/{repository.path}/blob/main/c.json").content.decode()
    )


def test_a_page_of_rows_asks_few_questions(team, client_for):
    repository = dataset(team, {"train.jsonl": lines(2000)})
    client = client_for(make_user())
    page(client, repository)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        text = page(client, repository)
    assert len(asked) <= 9, [each["sql"][:120] for each in asked]
    assert len(text) < 100_000


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.json", "a.parquet", "a.arrow"])
def test_a_file_with_nothing_in_it_is_no_fault(team, client_for, name):
    repository = dataset(team, {name: b""})
    client = client_for()
    for text in (
        client.get(f"/{repository.path}/blob/main/{name}").content.decode(),
        page(client, repository),
    ):
        assert "This table has no rows" in text and "This file is empty." in text
        assert "state--error" not in text and "The columns are not known" not in text


def test_an_empty_data_set_and_one_without_tables_say_what_to_do(team, client_for):
    repository = dataset(team, {"notes.txt": b"none"})
    assert "No table here" in page(client_for(), repository)
    commit_files(repository, {"a.csv": b"x\n1\n"})
    assert "No table here" not in page(client_for(), repository)
    assert client_for().get(f"/{repository.path}/viewer?split=none").status_code == 404


def test_columns_are_told_in_numbers_that_people_read(team, client_for, api_for):
    count = 150_000
    moments = [datetime(2024, 1, 1) + timedelta(minutes=at) for at in range(count)]
    content = parquet(
        {
            "id": list(range(count)),
            "at": moments,
            "some": [at if at < 50 else None for at in range(count)],
        }
    )
    repository = dataset(team, {})
    owner = make_member(team, access=Access.ADMIN)
    add_large(api_for(owner), repository, "train.parquet", content)
    page(client_for(), repository)
    jobs.work_out(TableFacts.objects.get().pk)
    text = page(client_for(), repository)
    for said in ("149,999", "74,999.5", "43,301.4", "149,950", "2024-01-01 00:00:00"):
        assert said in text
    assert "e+0" not in text and "150k" not in text
    assert text.count('class="bars"') == 3
    told = api_for().get(f"/{repository.api_path}/statistics").json()["statistics"][1]
    assert told["column_type"] == "datetime"
    edges = told["column_statistics"]["histogram"]["bin_edges"]
    assert edges[0] == "2024-01-01T00:00:00+00:00" and len(edges) == 21


def test_what_was_counted_meanwhile_is_said_above_too(team, client_for, api_for):
    repository, client = dataset(team, {}), client_for()
    owner = make_member(team, access=Access.ADMIN)
    add_large(api_for(owner), repository, "train.jsonl", lines(6_000))
    text = page(client, repository)
    assert 'Rows 0 to 24 <span id="table-total">and more; they are being counted' in text
    url = unescape(re.search(r'id="table-facts" hx-get="([^"]+)"', text)[1])
    assert "table-total" not in client.get(url).content.decode()
    jobs.work_out(TableFacts.objects.get().pk)
    done = client.get(url).content.decode()
    assert '<span id="table-total" hx-swap-oob="true">of 6,000</span>' in done
    plain = client.get(f"/{repository.path}/viewer/columns").content.decode()
    assert "table-total" not in plain
    assert "Rows 0 to 24 of 6,000" in page(client, repository)
