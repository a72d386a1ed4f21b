"""datasets, pandas, duckdb and plain fsspec over `hf://`."""

from __future__ import annotations

import hashlib
import os
import random

import pytest

pytestmark = pytest.mark.stack

DATASETS = """
import json, sys
from datasets import Dataset, DatasetDict, load_dataset
name = sys.argv[1]
rows = [{"text": f"line {i}", "label": i % 3, "vector": [i, i + 1]} for i in range(300)]
both = DatasetDict({"train": Dataset.from_list(rows[:250]), "test": Dataset.from_list(rows[250:])})
both.push_to_hub(name, num_shards={"train": 3, "test": 1}, private=True)
loaded = load_dataset(name)
stream = load_dataset(name, split="train", streaming=True)
Dataset.from_list(rows[:7]).push_to_hub(name, config_name="few")
few = load_dataset(name, "few", split="train")
print(json.dumps([
    loaded["train"].to_list() == rows[:250], loaded["test"].to_list() == rows[250:],
    list(stream) == rows[:250], list(stream.skip(240).take(3)) == rows[240:243],
    few.to_list() == rows[:7],
]))
"""
FILES = """
import hashlib, json, sys
from huggingface_hub import HfFileSystem
name, path, ranges = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
files, content = HfFileSystem(), open(path, "rb").read()
root = f"datasets/{name}"
files.put_file(path, f"{root}/data/random.bin")
with files.open(f"{root}/data/notes.txt", "w") as file:
    file.write("hello")
files.cp_file(f"{root}/data/random.bin", f"{root}/copies/random.bin")
files.invalidate_cache()
facts = {}
facts["ls"] = sorted(files.ls(f"{root}/data", detail=False))
facts["glob"] = sorted(files.glob(f"{root}/**/*.bin"))
facts["find"] = sorted(files.find(root))
facts["info"] = [files.info(f"{root}/data/random.bin")[key] for key in ("size", "type")]
facts["ranges"] = [
    files.cat_file(f"{root}/copies/random.bin", start, end) == content[start:end]
    for start, end in ranges
]
with files.open(f"{root}/copies/random.bin", "rb", block_size=70_000) as file:
    for start, end in ranges:
        file.seek(start)
        facts["ranges"].append(file.read(end - start) == content[start:end])
    file.seek(-100, 2)
    facts["ranges"].append(file.read() == content[-100:])
facts["whole"] = hashlib.sha256(files.cat_file(f"{root}/copies/random.bin")).hexdigest()
facts["text"] = files.read_text(f"{root}/data/notes.txt")
files.get_file(f"{root}/data/random.bin", "fetched.bin")
facts["fetched"] = open("fetched.bin", "rb").read() == content
files.rm(f"{root}/data", recursive=True)
files.invalidate_cache()
facts["left"] = [one for one in files.find(root) if not one.endswith((".md", ".gitattributes"))]
facts["exists"] = [files.exists(f"{root}/{one}") for one in ("data", "copies/random.bin")]
print(json.dumps(facts))
"""
TABLES = """
import json, sys
import duckdb, pandas
from huggingface_hub import HfFileSystem
name = sys.argv[1]
frame = pandas.DataFrame({"n": range(20_000), "text": [f"row {i}" for i in range(20_000)]})
for part in range(2):
    piece = frame.iloc[part * 10_000 : (part + 1) * 10_000]
    piece.to_parquet(f"hf://datasets/{name}/data/part-{part}.parquet", row_group_size=1000)
frame.head(5).to_csv(f"hf://datasets/{name}/head.csv", index=False)
read = pandas.concat(
    pandas.read_parquet(f"hf://datasets/{name}/data/part-{part}.parquet") for part in range(2)
)
columns = pandas.read_parquet(f"hf://datasets/{name}/data/part-1.parquet", columns=["n"])
csv = pandas.read_csv(f"hf://datasets/{name}/head.csv")
connection = duckdb.connect()
connection.register_filesystem(HfFileSystem())
table = f"read_parquet('hf://datasets/{name}/data/*.parquet')"
total = connection.sql(f"select count(*), sum(n) from {table}").fetchone()
row = connection.sql(f"select text from {table} where n = 12345").fetchone()
print(json.dumps([
    read.equals(frame), columns["n"].tolist() == list(range(10_000, 20_000)),
    csv.equals(frame.head(5)), [int(one) for one in total], row,
]))
"""


def test_datasets_pushes_loads_and_streams(lib, python):
    assert python(DATASETS, lib.new_name("rows")) == [True] * 5


def test_the_file_system_writes_lists_reads_copies_and_removes(lib, python):
    name, content = lib.repo("files", repo_type="dataset"), os.urandom(700_000)
    path = lib.file("random.bin", content)
    chance = random.Random(7)
    ranges = [sorted(chance.sample(range(len(content)), 2)) for _ in range(8)]
    ranges += [[0, 1], [len(content) - 1, len(content)]]
    found = python(FILES, name, path, str(ranges))
    root = f"datasets/{name}"
    assert found["ls"] == [f"{root}/data/notes.txt", f"{root}/data/random.bin"]
    assert found["glob"] == [f"{root}/copies/random.bin", f"{root}/data/random.bin"]
    assert set(found["ls"]) | set(found["glob"]) <= set(found["find"])
    assert found["info"] == [len(content), "file"]
    assert found["ranges"] == [True] * 21
    assert found["whole"] == hashlib.sha256(content).hexdigest()
    assert (found["text"], found["fetched"]) == ("hello", True)
    assert found["left"] == [f"{root}/copies/random.bin"]
    assert found["exists"] == [False, True]


def test_pandas_and_duckdb_read_tables_over_hf(lib, python):
    name = lib.repo("tables", repo_type="dataset")
    total = [20_000, sum(range(20_000))]
    assert python(TABLES, name) == [True, True, True, total, ["row 12345"]]
