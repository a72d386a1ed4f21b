"""Rows in the order of a column: numbers by size, empty ones last, within bounds."""

from __future__ import annotations

import io
import json
import re
from html import unescape
from typing import Any

import pyarrow as pa
import pytest

from hub.actions import table_order
from hub.formats.tables import order
from hub.formats.tables.order import key_of
from hub.models import Access, Repository
from tests.factories import make_member, make_organization, make_repository
from tests.hub.hostile_text import faults
from tests.hub.test_tables import add_large, dataset, page, parquet

pytestmark = pytest.mark.django_db
SCORES: list[Any] = [10, 9, None, 100, -5, 2, 9]
NAMES = ["pear", "Apple", None, "banana", "apple", "苹果", "10"]
ASCENDING = [4, 5, 1, 6, 0, 3, 2]
DESCENDING = [3, 0, 1, 6, 5, 4, 2]
BY_NAME = [6, 1, 4, 3, 0, 5, 2]


@pytest.fixture
def team():
    return make_organization()


def csv() -> bytes:
    rows = zip(SCORES, NAMES, strict=True)
    text = "".join(f"{'' if s is None else s},{n or ''}\n" for s, n in rows)
    return ("score,name\n" + text).encode()


def jsonl() -> bytes:
    rows = [{"score": s, "name": n, "list": [1]} for s, n in zip(SCORES, NAMES, strict=True)]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def arrow() -> bytes:
    sink = io.BytesIO()
    table = pa.table({"score": SCORES, "name": NAMES})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=3):
            writer.write_batch(batch)
    return sink.getvalue()


FILES = {
    "rows.csv": csv(),
    "rows.jsonl": jsonl(),
    "rows.json": json.dumps([json.loads(line) for line in jsonl().splitlines()]).encode(),
    "rows.arrow": arrow(),
    "rows.parquet": parquet({"score": SCORES, "name": NAMES}, row_group_size=3),
}


def numbers(html: str) -> list[int]:
    """The rows as they stand on the page."""
    return [int(found) for found in re.findall(r'aria-label="Row (\d+)"', html)]


def shown(client: Any, repository: Repository, path: str, **query: str) -> str:
    answer = client.get(f"/{repository.path}/blob/main/{path}", query)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("path", sorted(FILES))
def test_rows_are_sorted_by_number_and_by_word_with_empty_ones_last(client, team, path):
    repository = dataset(team, {path: FILES[path]})
    html = shown(client, repository, path, sort="score")
    assert numbers(html) == ASCENDING and 'aria-sort="ascending"' in html
    assert "1 to 7 of 7 rows, sorted by score" in html
    html = shown(client, repository, path, sort="score", order="desc")
    assert numbers(html) == DESCENDING and 'aria-sort="descending"' in html
    assert numbers(shown(client, repository, path, sort="name")) == BY_NAME
    assert numbers(shown(client, repository, path)) == list(range(7))


def test_the_heading_leads_up_then_down_then_back(client, team):
    repository = dataset(team, {"rows.csv": csv()})
    query: dict[str, str] = {}
    for wanted in ({"sort": "score"}, {"sort": "score", "order": "desc"}, {}):
        html = shown(client, repository, "rows.csv", **query)
        links = re.findall(r'class="table-sort" href="[^"?]*\?([^"]*)"', html)
        query = dict(part.split("=") for part in unescape(links[0]).split("&") if part)
        assert query == wanted


def test_pages_keep_the_order_and_a_search_is_sorted_too(client, team):
    rows = "".join(f"{(n * 37) % 100},word{n % 2}\n" for n in range(100))
    repository = dataset(team, {"train.csv": ("v,w\n" + rows).encode()})
    html = page(client, repository, sort="v")
    assert numbers(html) == [n for v in range(25) for n in range(100) if n * 37 % 100 == v]
    assert "sort=v" in html and "from=25" in html
    later = page(client, repository, sort="v", **{"from": 75})
    assert numbers(later) == [n for v in range(75, 100) for n in range(100) if n * 37 % 100 == v]
    assert "76 to 100 of 100 rows" in later
    found = page(client, repository, sort="v", order="desc", q="word1")
    assert numbers(found)[0] == 27 and all(n % 2 for n in numbers(found))
    assert "1 to 25 of 50 rows" in found
    assert 'type="hidden" name="sort" value="v"' in found


def test_files_of_a_split_are_sorted_as_one(client, team):
    files = {f"data/train-0000{n}-of-00002.csv": f"v\n{5 - n}\n{7 + n}\n".encode() for n in (0, 1)}
    html = page(client, dataset(team, files), sort="v")
    assert numbers(html) == [2, 0, 1, 3]


def test_a_large_file_is_read_by_its_marks(client, api_for, team):
    repository = dataset(team, {})
    owner = make_member(team, access=Access.ADMIN)
    rows = "".join(f"{(n * 7919) % 20_000},{'x' * 60}\n" for n in range(20_000))
    add_large(api_for(owner), repository, "train.csv", f"v,w\n{rows}".encode())
    html = page(client, repository, sort="v", **{"from": 19_975})
    assert numbers(html)[-1] == next(n for n in range(20_000) if n * 7919 % 20_000 == 19_999)


@pytest.mark.parametrize(
    ("limit", "value"), [("ROWS", 5), ("SORT_LIMIT_BYTES", 10), ("SORT_SECONDS", -1)]
)
def test_what_is_too_large_is_said_and_shown_in_its_own_order(
    client, team, monkeypatch, limit, value
):
    if limit == "ROWS":
        monkeypatch.setattr(order, "ROWS_LIMIT", value)
    else:
        monkeypatch.setattr(table_order, limit, value)
    rows = "v\n" + "".join(f"{200 - n}\n" for n in range(200))
    repository = dataset(team, {"rows.csv": rows.encode()})
    html = shown(client, repository, "rows.csv", sort="v")
    told = "takes too long just now" if limit == "SORT_SECONDS" else "too large to be sorted here"
    assert told in html
    assert numbers(html) == list(range(25)) and "aria-sort" not in html
    if limit == "SORT_LIMIT_BYTES":
        plain = shown(client, repository, "rows.csv")
        assert "table-sort" not in plain and "too large to be sorted" in plain


@pytest.mark.parametrize(
    ("column", "said"), [("nothing", "There is no column"), ("list", "have no order")]
)
def test_a_column_that_cannot_be_sorted_by_is_refused_in_words(client, team, column, said):
    files = {"rows.parquet": parquet({"score": SCORES, "list": [[1]] * 7})}
    html = shown(client, dataset(team, files), "rows.parquet", sort=column)
    assert said in html and numbers(html) == list(range(7))
    assert html.count('class="table-sort"') == 1


def test_rows_of_json_know_no_column_that_none_of_them_has(client, team):
    lines = [{"v": number} for number in range(7)] + [{"v": 7, "late": 1}]
    files = {"rows.jsonl": b"".join(json.dumps(each).encode() + b"\n" for each in lines)}
    repository = dataset(team, files)
    html = shown(client, repository, "rows.jsonl", sort="nosuch")
    assert "There is no column" in html and "sorted by nosuch" not in html
    assert numbers(shown(client, repository, "rows.jsonl", sort="late"))[0] == 7


def test_the_order_is_worked_out_once(client, team, monkeypatch):
    repository = dataset(team, {"rows.csv": csv()})
    shown(client, repository, "rows.csv", sort="score")
    monkeypatch.setattr(table_order, "sorted_numbers", None)
    assert numbers(shown(client, repository, "rows.csv", sort="score")) == ASCENDING


def test_whoever_may_not_read_the_files_gets_no_order(client):
    repository = make_repository(files={"rows.csv": csv()}, gated="manual")
    answer = client.get(f"/{repository.path}/blob/main/rows.csv", {"sort": "score"})
    assert answer.status_code in (401, 403)


def test_names_of_columns_attack_nobody(client, team):
    name = '"><script>alert(1)</script>&sort=x'
    quoted = name.replace('"', '""')
    repository = dataset(team, {"rows.csv": f'"{quoted}",b\n2,x\n1,y\n'.encode()})
    html = shown(client, repository, "rows.csv", sort=name)
    assert numbers(html) == [1, 0] and faults(html) == []


def test_values_of_all_kinds_have_their_place():
    from datetime import date, datetime, timedelta

    values = ["b", "A", 3, 1.5, True, datetime(2024, 1, 2), date(2024, 1, 1), timedelta(seconds=2)]
    keys = [key_of(value) for value in values]
    assert None not in keys
    assert [values[keys.index(key)] for key in sorted(keys)] == [
        True, 1.5, timedelta(seconds=2), 3, date(2024, 1, 1), datetime(2024, 1, 2), "A", "b",
    ]  # fmt: skip
    assert [key_of(each) for each in (None, float("nan"), [1], {}, b"x")] == [None] * 5
