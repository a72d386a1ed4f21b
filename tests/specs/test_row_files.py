"""Rows of every kind of file, read with bounds; word lists; examples that are not items."""

import io
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hub.errors import BadInputError
from training.specs import row_files
from training.specs.benchmark import parse_benchmark
from training.specs.items import lm_eval_doc_hash, select_items
from training.specs.row_files import read_rows, read_words
from training.specs.shots import select_shots


def rows(content, path, **options):
    return list(read_rows(io.BytesIO(content), path, **options))


def parquet(table):
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_tables_are_read_with_their_header():
    wanted = [{"text": 'a,\n"b"', "label": "1"}, {"text": "中", "label": ""}]
    assert rows('\ufefftext,label\n"a,\n""b""",1\n\n中,\n'.encode(), "x.csv") == wanted
    assert rows(b"text\tlabel\na\t1\n", "x.TSV") == [{"text": "a", "label": "1"}]


def test_plain_text_is_cut_as_asked():
    text = b"First.\nSecond.\n\n\nThird.\r\n"
    assert [row["text"] for row in rows(text, "x.txt")] == ["First.", "Second.", "Third."]
    paragraphs = [row["text"] for row in rows(text, "x.txt", sample_by="paragraph")]
    assert paragraphs == ["First.\nSecond.", "Third."]
    assert rows(text, "x.txt", sample_by="document") == [{"text": text.decode()}]
    assert rows(b" \n", "x.txt", sample_by="document") == []


def test_parquet_gives_what_json_lines_would():
    table = pa.table({
        "q": ["a", None], "choices": [{"text": ["x", "y"]}, None], "n": [1, 2],
        "day": [date(2024, 1, 31), None],
    })  # fmt: skip
    assert rows(parquet(table), "data/x.parquet") == [
        {"q": "a", "choices": {"text": ["x", "y"]}, "n": 1, "day": "2024-01-31"},
        {"q": None, "choices": None, "n": 2, "day": None},
    ]


@pytest.mark.parametrize(
    ("content", "path", "reason"),
    [
        (b"a,b\n1\n", "x.csv", "line 2 has 1 values for 2 columns"),
        (b"a,a\n", "x.csv", "every column, each once"),
        (b"", "x.csv", "the first line must name"),
        (b'a\n"1', "x.csv", "unexpected end of data"),
        (b"a\n\xff\n", "x.csv", "not UTF-8"),
        (b"[1]\n", "x.jsonl", "line 1 is not a JSON object"),
        (b"\xff", "x.txt", "not UTF-8"),
        (b"PAR1", "x.parquet", "not a Parquet file"),
        (b"x", "x.xlsx", "cannot be read"),
        (b"x", "README", "cannot be read"),
    ],
)
def test_what_cannot_be_read_says_why(content, path, reason):
    with pytest.raises(BadInputError, match=reason):
        rows(content, path)


@pytest.mark.parametrize("values", [[float("nan")], [b"x"]])
def test_values_that_json_cannot_hold_are_refused(values):
    with pytest.raises(BadInputError, match="which is no"):
        rows(parquet(pa.table({"a": values})), "x.parquet")


def test_files_are_bounded(monkeypatch):
    monkeypatch.setattr(row_files, "LINE_LIMIT_BYTES", 10)
    monkeypatch.setattr(row_files, "MAX_ROWS", 2)
    monkeypatch.setattr(row_files, "VALUES_LIMIT_BYTES", 1000)
    for content, path, reason in (
        (b"x" * 11, "x.txt", "line 1 exceeds 10 bytes"),
        (b"12345678\n" * 2, "x.txt", "paragraph above 10"),
        (b"a\n1\n2\n3\n", "x.csv", "more than 2 rows"),
        (parquet(pa.table({"a": [1, 2, 3]})), "x.parquet", "more than 2 rows"),
        (parquet(pa.table({"a": ["x" * 600, "y" * 600]})), "x.parquet", "unpacks to more"),
        # One value in a dictionary, repeated: small in the file and large once it is written out.
        (parquet(pa.table({"a": ["x" * 600] * 2})), "x.parquet", "unpacks to more"),
    ):
        with pytest.raises(BadInputError, match=reason):
            rows(content, path, **({"sample_by": "paragraph"} if "paragraph" in reason else {}))


def test_a_word_list_is_one_word_a_line():
    lines = ["# why\n", "Fool\n", "  笨蛋 # zh\n", "\n", "fool\n"]
    assert read_words([line.encode() for line in lines], "w.txt") == ("fool", "笨蛋")
    for wrong, reason in (([b"# none\n"], "no words"), ([b"x" * 101], "more than 100")):
        with pytest.raises(BadInputError, match=reason):
            read_words(wrong, "w.txt")


ASKED = """
task: t
output_type: generate_until
doc_to_text: q
doc_to_target: a
fewshot_split: train
num_fewshot: 3
"""


def test_examples_are_the_same_every_time_and_never_items():
    asked = parse_benchmark(ASKED)
    pool = [{"q": str(i), "a": str(2 * i)} for i in range(20)]
    items = select_items(pool[:12], asked)
    shots = select_shots(pool, asked, items)
    assert shots == select_shots(pool[::-1], asked, items)
    assert len(shots) == 3
    assert not {row["q"] for row in shots} & {item.doc["q"] for item in items}
    other = parse_benchmark(ASKED + "fewshot_config: {seed: 5}")
    assert select_shots(pool, other, items) != shots
    first = parse_benchmark(ASKED + "fewshot_config: {sampler: first_n}")
    assert select_shots(pool, first, items) == pool[12:15]


def test_too_few_examples_are_refused():
    asked = parse_benchmark(ASKED)
    pool = [{"q": str(i), "a": ""} for i in range(4)]
    with pytest.raises(BadInputError, match="has 2 that are not its own items"):
        select_shots(pool, asked, select_items(pool[:2], asked))
    inline = parse_benchmark(
        ASKED.replace("3", "1") + "fewshot_config: {samples: [{q: '0', a: ''}]}"
    )
    assert select_shots([], inline) == [{"q": "0", "a": ""}]
    with pytest.raises(BadInputError, match="one of its own items"):
        select_shots([], inline, select_items(pool, asked))


def test_a_row_has_the_hash_that_uploaded_samples_carry():
    row = {"q": "1+1 = 多少？", "a": "2", "n": 1.5, "c": [True, None]}
    # By hash_string(json.dumps(..., default=handle_non_serializable)) of lm_eval 0.4.13.
    wanted = "d4ab10af89ae3d88a86cbba948d111a4cc98205b13d7a479b39e8557e1a91fb0"
    assert lm_eval_doc_hash(row) == wanted
    assert lm_eval_doc_hash(dict(reversed(row.items()))) != wanted
