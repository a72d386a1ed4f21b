"""Readers of tables: exact values by a second path, marks, statistics, splits, hostile bytes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import statistics as second_path
from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hub.formats.tables.cells import cell_of, plain
from hub.formats.tables.conditions import Query
from hub.formats.tables.errors import BudgetSpentError, QueryError, TableError
from hub.formats.tables.opening import format_of, open_table
from hub.formats.tables.rows import PASSED, Budget, Column, Mark, Media, Row
from hub.formats.tables.splits import splits_of
from hub.formats.tables.statistics import TableStatistics

LONG = Budget(1e9)


def read(content: bytes, kind: str) -> tuple[Any, list[Row]]:
    reader = open_table(io.BytesIO(content), kind, len(content), LONG)
    return reader, [reader.row(record) for record in reader.records()]


def values(content: bytes, kind: str) -> list[dict[str, Any]]:
    return [row.values for row in read(content, kind)[1]]


def parquet(**columns: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, row_group_size=7)
    return sink.getvalue()


def awkward(count: int) -> list[list[str]]:
    """Cells with whatever CSV allows."""
    chance = random.Random(4)
    pieces = ["", "plain", 'a "quote"', "two\nlines", "a,comma", "zwölf 十二", " spaces "]
    return [[f"r{at}", chance.choice(pieces), chance.choice(pieces)] for at in range(count)]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_csv_reads_as_the_standard_library_reads_it(line_end):
    rows = awkward(300)
    text = io.StringIO()
    csv.writer(text, lineterminator=line_end).writerows([["id", "b", "c"], *rows])
    found = values(text.getvalue().encode(), "csv")
    assert [[each or "" for each in row.values()] for row in found] == rows


@pytest.mark.parametrize("codec", ["gb18030", "big5", "cp1252"])
def test_csv_in_another_encoding_is_read_in_it(codec):
    """Chinese letters of GB 18030 and Big5 have a second byte that is `|`, `\\` or a letter."""
    chinese = [f"{name}：今天收到了您的短信，但還沒有回覆。" for name in ("張三", "李四", "王五")]
    names = ["Ünlü", "Größe", "café"] if codec == "cp1252" else chinese
    if codec == "gb18030":
        names = ["张三：今天收到了短信", "李四：您的验证码是", "王五：明天开会"]
    text = "id|name\n" + "".join(f"{at}|{name}\n" for at, name in enumerate(names))
    reader, rows = read(text.encode(codec), "csv")
    assert [row.values["name"] for row in rows] == names
    found = list(reader.records(query=Query(text=names[1][:2])))
    assert [reader.row(each).values["name"] for each in found if each.content != PASSED][:1] == [
        names[1]
    ]


def test_types_of_csv_are_those_of_the_values():
    content = b"n,x,flag,text,none\n1,1.5,true,007,\n-2,2,False,x,NA\n"
    reader, rows = read(content, "csv")
    assert [column.type for column in reader.columns] == ["int", "float", "bool", "text", "null"]
    assert rows[1].values == {"n": -2, "x": 2.0, "flag": False, "text": "x", "none": None}


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_a_mark_leads_to_the_same_rows(kind):
    rows = awkward(500)
    if kind == "csv":
        text = io.StringIO()
        csv.writer(text).writerows([["id", "b", "c"], *rows])
        content = text.getvalue().encode()
    else:
        content = b"\n".join(json.dumps(row).encode() for row in rows)
    reader = open_table(io.BytesIO(content), kind, len(content), LONG)
    records = list(reader.records())
    marks = tuple(Mark(each.number, each.at) for each in records[50::50])
    for first in (0, 1, 49, 50, 51, 399, 499, 500):
        assert list(reader.records(first, marks)) == records[first:]


def test_parquet_gives_what_was_written_from_any_row_on():
    columns = {
        "n": list(range(50)),
        "text": [None if at % 9 == 0 else f"text {at}" for at in range(50)],
        "deep": [{"a": [at, None], "b": {"c": "x"}} for at in range(50)],
    }
    content = parquet(**columns)
    reader, rows = read(content, "parquet")
    assert reader.length == 50
    expected = [
        dict(zip(columns, each, strict=True)) for each in zip(*columns.values(), strict=True)
    ]
    assert [row.values for row in rows] == expected
    later = [reader.row(record).values for record in islice(reader.records(23), 3)]
    assert later == expected[23:26]


def test_features_of_datasets_name_pictures_and_classes():
    media = pa.array([{"bytes": b"x", "path": "a.png"}])
    features = {
        "image": {"_type": "Image"},
        "label": {"_type": "ClassLabel", "names": ["no", "yes"]},
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table({"image": media, "label": [1]}).replace_schema_metadata(metadata)
    sink = io.BytesIO()
    pq.write_table(table, sink)
    reader, rows = read(sink.getvalue(), "parquet")
    assert reader.columns[0].type == "image" and reader.columns[1].labels == ("no", "yes")
    assert rows[0].values["image"] == Media(b"x", "a.png")
    assert cell_of(1, reader.columns[1], limit=10).label == "yes"


def test_documents_lines_and_packed_files_are_told_apart():
    rows = [{"a": 1}, {"a": 2}]
    as_lines = b"\n".join(json.dumps(row).encode() for row in rows)
    assert values(json.dumps(rows).encode(), "json") == rows
    assert values(json.dumps({"data": rows, "version": 1}).encode(), "json") == rows
    assert values(json.dumps({"a": [1, 2]}).encode(), "json") == rows
    assert values(as_lines, "json") == rows
    assert values(gzip.compress(as_lines), "jsonl+gz") == rows
    assert values(pa.compress(as_lines, "zstd", asbytes=True), "jsonl+zst") == rows
    assert format_of("data/A.CSV.gz") == "csv+gz" and format_of("a.parquet.gz") == ""


def test_only_the_beginning_of_a_bomb_is_unpacked():
    bomb = gzip.compress(b'{"a": 1}\n' * 1_000_000)
    reader, rows = read(bomb, "jsonl+gz")
    assert reader.is_cut and len(rows) == 8 * 1024**2 // 9


def test_rows_that_cannot_be_read_stop_nothing():
    content = b'{"a": 1}\nbroken\n' + b'"' + b"x" * (5 * 1024**2) + b'"\n{"a": 2}\n'
    assert [row.problem for row in read(content, "jsonl")[1]] == ["", "unreadable", "too_long", ""]
    deep = b"[" * 200_000 + b"]" * 200_000 + b"\n"
    assert read(deep, "jsonl")[1][0].problem == "unreadable"
    # A quote that never closes takes at most so many bytes with it.
    assert len(read(b'a,b\n1,"open\n' + b"2,3\n" * 10, "csv")[1]) == 1


def test_looking_ends_when_its_time_is_up():
    content = b"x\n" * 100_000
    with pytest.raises(BudgetSpentError):
        list(open_table(io.BytesIO(content), "csv", len(content), Budget(0.0)).records())


def test_statistics_equal_those_of_the_standard_library():
    chance = random.Random(7)
    numbers = [chance.gauss(3, 2) for _ in range(999)] + [None]
    words = [chance.choice(["yes", "no", "maybe"]) for _ in range(1000)]
    found = TableStatistics([Column("x", "float"), Column("w", "text")])
    for at, (number, word) in enumerate(zip(numbers, words, strict=True)):
        found.add(Row(at, {"x": number, "w": word}))
    x, w = found.told()
    known = [number for number in numbers if number is not None]
    assert (x["rows"], x["nulls"], x["distinct"]) == (1000, 1, 999)
    told = x["numbers"]
    assert told["mean"] == pytest.approx(second_path.fmean(known), abs=1e-12)
    assert told["std"] == pytest.approx(second_path.stdev(known), abs=1e-12)
    assert told["quantiles"][2] == pytest.approx(second_path.median(known), abs=1e-12)
    edges, counts = told["histogram"]["edges"], told["histogram"]["counts"]
    for at, count in enumerate(counts):
        low, high = edges[at], edges[at + 1]
        is_last = at == len(counts) - 1
        assert count == sum(low <= n < high or (is_last and n >= high) for n in known)
    assert dict(map(tuple, w["top"])) == {word: words.count(word) for word in set(words)}
    assert w["lengths"]["max"] == 5


def test_a_full_budget_ends_the_statistics_and_not_more():
    found = TableStatistics([Column("x", "int")], budget=1000)
    for at in range(5000):
        if found.is_full:
            break
        found.add(Row(at, {"x": at}))
    assert 1000 <= found.rows <= 1256


@pytest.mark.parametrize(
    ("row", "query", "is_meant"),
    [
        ({"a": "Ärger"}, Query("äRG"), True),
        ({"a": {"b": ["deep"]}}, Query("deep"), True),
        ({"a": 12}, Query.of("", [("a", "ge", "11.5")]), True),
        ({"a": 12}, Query.of("", [("a", "le", "eleven")]), False),
        ({"a": None}, Query.of("", [("a", "null", "")]), True),
        ({"a": None}, Query.of("", [("a", "ne", "1")]), False),
        ({"a": True}, Query.of("", [("a", "eq", "TRUE")]), True),
        ({"a": "x"}, Query.of("", [("b", "eq", "x")]), False),
    ],
)
def test_a_query_means_these_rows(row, query, is_meant):
    assert query.test()(Row(0, row)) is is_meant


@pytest.mark.parametrize(
    ("paths", "card", "expected"),
    [
        (["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"], {}, ["train"]),
        (["test.csv", "train.csv", "dev.csv", "README.md"], {}, ["train", "validation", "test"]),
        (["train/a.jsonl", "test/b.jsonl"], {}, ["train", "test"]),
        (["my_training_set.csv", "contest.csv"], {}, ["train"]),
        (["all.csv", "more.csv", "other.jsonl"], {}, ["train"]),
        (["config.json", ".hidden/a.csv"], {}, []),
        (["x/a.csv"], {"configs": [{"config_name": "c", "data_files": "x/*.csv"}]}, ["train"]),
        (["x/y/a.csv"], {"configs": [{"data_files": {"held": "**/*.csv"}}]}, ["held"]),
        (
            ["a.csv"],
            {"configs": [{"data_files": [{"split": "s", "path": ["b.csv"]}]}, 3]},
            ["train"],
        ),
    ],
)
def test_splits_follow_the_card_or_the_names(paths, card, expected):
    assert [split.name for split in splits_of(paths, card)] == expected


def test_values_become_json_that_every_client_reads():
    value = {"n": float("nan"), "s": "\ud800", "deep": [[[]]], "b": b"xx", "many": list(range(500))}
    json.dumps(plain(value), allow_nan=False).encode()
    assert len(plain(value)["many"]) == 101


_SEEDS = {
    "csv": b'a,b\n1,"x\ny"\n2,z\n',
    "jsonl": b'{"a": 1, "b": [1, 2]}\n{"a": null}\n',
    "json": b'[{"a": 1}, {"a": 2}]',
    "jsonl+gz": gzip.compress(b'{"a": 1}\n' * 50),
    "jsonl+zst": pa.compress(b'{"a": 1}\n' * 50, "zstd", asbytes=True),
    "parquet": parquet(n=list(range(20)), s=["text"] * 20, d=[{"a": [1]}] * 20),
}


def _arrow() -> bytes:
    sink = io.BytesIO()
    table = pa.table({"n": [1, 2], "s": ["a", None]})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


_SEEDS["arrow"] = _arrow()


@pytest.mark.parametrize("kind", _SEEDS)
def test_damaged_files_are_read_or_refused_and_never_a_fault(kind):
    chance = random.Random(f"tables {kind}")
    seed = _SEEDS[kind]
    for _turn in range(400):
        content = bytearray(seed)
        for _change in range(chance.randint(1, 6)):
            at = chance.randrange(len(content)) if content else 0
            change = chance.randrange(4)
            if change == 0 and content:
                content[at] = chance.randrange(256)
            elif change == 1:
                content[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 8)))
            elif change == 2:
                del content[at : at + chance.randint(1, 12)]
            else:
                content += content[: chance.randint(0, 40)]
        try:
            reader = open_table(io.BytesIO(bytes(content)), kind, len(content), Budget(5))
            found = TableStatistics(reader.columns)
            for record in islice(reader.records(), 200):
                row = reader.row(record)
                found.add(row)
                for column in reader.columns:
                    cell_of(row.values.get(column.name), column, limit=50)
            json.dumps(found.told(), allow_nan=False).encode()
        except TableError:
            pass


CHANCE_WORDS = (
    "Straße",
    "ﬁne",
    "plain",
    "PLAIN",
    "第7行",
    "1e3",
    "10",
    "true",
    'a "b"',
    "back\\",
    "",
)


def mixed_rows(count: int) -> list[dict[str, Any]]:
    chance = random.Random(11)
    return [
        {
            "id": at,
            "word": chance.choice(CHANCE_WORDS) or None,
            "score": chance.choice([None, 0.5, 1.0, 1000.0, -2.25, 1e-7]),
            "yes": chance.choice([None, True, False]),
            "when": datetime(2024, 1, 1 + at % 28, 12),
            "many": chance.choice([None, [], ["Deep", "x"]]),
        }
        for at in range(count)
    ]


def written(rows: list[dict[str, Any]], kind: str) -> bytes:
    if kind in ("parquet", "arrow"):
        table, sink = pa.Table.from_pylist(rows), io.BytesIO()
        if kind == "parquet":
            pq.write_table(table, sink, row_group_size=70)
        else:
            with pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table, max_chunksize=33)
        return sink.getvalue()
    plain_rows = [{k: str(v) if k == "when" else v for k, v in row.items()} for row in rows]
    if kind == "jsonl":
        return b"".join(
            json.dumps(row, ensure_ascii=at % 2 == 0).encode() + b"\n"
            for at, row in enumerate(plain_rows)
        )
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(plain_rows)
    return out.getvalue().encode()


@pytest.mark.parametrize("kind", ["parquet", "arrow", "csv", "jsonl"])
@pytest.mark.parametrize(
    "query",
    [
        *map(
            Query, ("STRASSE", "fine", "plain", "第7行", "1", "1.0", "000.", "e-0", "true", "tru")
        ),
        *map(Query, ('"', "\\", "deep", "2024-01-03", "-2.2", "nothing")),
        *(
            Query.of("", [asked])
            for asked in (
                ("word", "eq", "plain"),
                ("word", "ne", "plain"),
                ("word", "contains", "STRASSE"),
                ("word", "ge", "p"),
                ("word", "null", ""),
                ("word", "filled", ""),
                ("id", "eq", "7.0"),
                ("id", "ge", "280"),
                ("score", "le", "0"),
                ("score", "ne", "1"),
                ("yes", "eq", "True"),
                ("many", "contains", "deep"),
                ("when", "le", "2024-01-02"),
                ("id", "contains", "99"),
            )
        ),
        Query.of("plain", [("id", "le", "100"), ("yes", "eq", "true")]),
    ],
)
def test_a_sieve_lets_through_all_that_is_meant(kind, query):
    content = written(mixed_rows(300), kind)
    reader, rows = read(content, kind)
    meant = [row for row in rows if query.test()(row)]
    for first in (0, 123):
        sifted = list(reader.records(first, (), query))
        left = [reader.row(each) for each in sifted if each.content is not PASSED]
        assert [row for row in left if query.test()(row)] == [r for r in meant if r.number >= first]
        numbers = [each.number for each in sifted]
        assert numbers == sorted(numbers) and numbers[-1] == 299  # how far it looked


def test_a_number_is_found_as_it_is_told_and_not_as_it_is_written():
    content = b"n,word\n" + b"".join(b"%d,x\n" % at for at in range(300)) + b"1e6,y\n"
    reader = open_table(io.BytesIO(content), "csv", len(content), LONG)
    assert reader.columns[0].type == "int"  # by its first rows
    left = [each for each in reader.records(0, (), Query("1000000")) if each.content is not PASSED]
    assert [reader.row(each).values["n"] for each in left] == [1e6]


def test_looking_through_rows_unpacks_no_column_that_decides_nothing():
    names = [{"bytes": b"x" * 5000, "path": "a"}] * 40
    content = parquet(text=[f"row {at}" for at in range(40)], image=names)
    reader = open_table(io.BytesIO(content), "parquet", len(content), LONG)
    passed = [each for each in reader.records(0, (), Query("row 33")) if each.content is not PASSED]
    assert [reader.row(each).values["text"] for each in passed] == ["row 33"]
    assert reader._decoder.sieve(Query("row 33")).names == ["text"]


def test_a_step_gets_on_however_little_time_it_has():
    content = parquet(text=[f"row {at}" for at in range(70)])
    reader = open_table(io.BytesIO(content), "parquet", len(content), Budget(0.0))
    first, reached = 3, []
    with pytest.raises(BudgetSpentError):
        reached.extend(each.number for each in reader.records(first, (), Query("none")))
    assert max(reached, default=first) > first


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        (("nope", "eq", "1"), "no_column"),
        (("id", "ge", "abc"), "no_number"),
        (("score", "eq", "abc"), "no_number"),
        (("when", "ge", "soon"), "no_moment"),
        (("yes", "eq", "maybe"), "no_truth"),
        (("many", "le", "1"), "no_order"),
    ],
)
def test_what_no_row_can_answer_is_refused(asked, fault):
    content = written(mixed_rows(20), "parquet")
    reader = open_table(io.BytesIO(content), "parquet", len(content), LONG)
    with pytest.raises(QueryError) as refused:
        Query.of("", [asked]).require_columns(reader.columns, may_have_more=False)
    assert refused.value.fault == fault
    for fine in (("id", "ge", "-1e3"), ("when", "ge", "2024"), ("word", "ge", "abc")):
        Query.of("", [fine]).require_columns(reader.columns, may_have_more=False)
    Query.of("", [("nope", "eq", "1")]).require_columns(reader.columns, may_have_more=True)


def test_moments_have_ends_and_a_histogram():
    zone = timezone(timedelta(hours=2))
    days = [date(2024, 1, 1), date(2024, 1, 31), None, date(2024, 1, 2)]
    times = [datetime(2024, 5, 1, 10, tzinfo=zone), datetime(1969, 12, 31, 23, 59, 59), None, None]
    found = TableStatistics([Column("day", "time"), Column("at", "time"), Column("hour", "time")])
    for at, (day, moment) in enumerate(zip(days, times, strict=True)):
        found.add(Row(at, {"day": day, "at": moment, "hour": time(at)}))
    day, at, hour = found.told()
    assert (day["moments"]["min"], day["moments"]["max"]) == ("2024-01-01", "2024-01-31")
    edges = day["moments"]["histogram"]["edges"]
    assert (edges[0], edges[-1]) == (1704067200.0, 1706659200.0)
    assert sum(day["moments"]["histogram"]["counts"]) == 3
    assert at["moments"]["min"] == "1969-12-31 23:59:59"
    known = datetime(2024, 5, 1, 8, tzinfo=UTC).timestamp()
    assert at["moments"]["histogram"]["edges"][-1] == pytest.approx(known)
    assert at["moments"]["histogram"]["edges"][0] == -1.0
    assert "moments" not in hour
