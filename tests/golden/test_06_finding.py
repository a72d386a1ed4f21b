"""Calls 29-31: lists, cards, files as a file system."""

from __future__ import annotations

import json
import random

import pytest

from tests.golden.person import CallError, Person

CARD = b"---\nlicense: mit\npipeline_tag: text-classification\ntags: [tiny]\n---\n# A model\n"
PARQUET = """
import io, json, sys
import pandas
name = sys.argv[1]
path = f"hf://datasets/{name}/data/rows.parquet"
frame = pandas.DataFrame({"n": range(500), "text": [f"row {i}" for i in range(500)]})
frame.to_parquet(path)
print(json.dumps(pandas.read_parquet(path).equals(frame)))
"""


def test_call_29_lists_show_what_one_may_see(ann: Person, ben: Person):
    public = ann.repo("m1-listed", {"README.md": CARD})
    plain = ann.repo("m1-listed")
    hidden = ann.repo("m1-listed", private=True)
    data = ann.repo("d1-listed", repo_type="dataset")
    asked = ("--search", "m1-listed", "--author", ann.name, "--sort", "likes")
    assert set(ann.hf("models", "ls", "-q", *asked).split()) == {public, plain, hidden}
    assert data in ann.hf("datasets", "ls", "-q", "--author", ann.name).split()
    mine = {"search": "m1-listed", "author": ann.name}
    assert set(ann.call("models", mine)) == {public, plain, hidden}
    assert set(ben.call("models", mine)) == {public, plain}
    assert ben.call("models", mine | {"filter": "text-classification"}) == [public]
    assert ben.call("models", mine | {"filter": ["tiny", "license:mit"]}) == [public]
    assert ben.call("models", mine | {"filter": ["tiny", "license:gpl"]}) == []


@pytest.mark.new_client  # the older one has RepoCard.validate ask the public site
def test_call_30_a_card_is_loaded_edited_and_pushed(ann: Person):
    name = ann.repo("m1", {"README.md": CARD})
    ann.call("push_card", name, "tags", ["edited", "tiny"])
    info = ann.call("model_info", name, {})
    assert info["card"]["tags"] == ["edited", "tiny"]
    assert {"edited", "tiny", "license:mit", "text-classification"} <= set(info["tags"])
    with pytest.raises(CallError, match="license"):
        ann.call("push_card", name, "license", "nobody")


def test_call_30_a_card_with_invalid_metadata_is_refused_before_the_upload(ann: Person):
    name = ann.repo("m1", {"README.md": CARD})
    head = ann.api.model_info(name).sha
    path = ann.file("README.md", b"---\nlicense: nobody\n---\n# A model\n")
    with pytest.raises(CallError, match="license"):
        ann.call("upload", name, "README.md", str(path))
    assert ann.api.model_info(name).sha == head


def test_call_31_files_as_a_file_system(ann: Person):
    name = ann.repo("m1", {"a.txt": b"a"})
    chance = random.Random(31)
    ranges = [sorted(chance.sample(range(256 * 4000), 2)) for _ in range(6)]
    found = ann.call("file_system", name, ranges)
    both = [f"{name}/data/copy.dat", f"{name}/data/numbers.dat"]
    assert sorted(found["listed"]) == sorted(found["found"]) == both
    assert all(found["right"]) and len(found["right"]) == 12
    assert found["left"] == [f"{name}/data/copy.dat"]


@pytest.mark.new_client  # pandas is not part of the older client's environment
def test_call_31_a_table_through_pandas(ann: Person):
    name = ann.repo("d2", repo_type="dataset")
    done = ann.run([ann.client.interpreter, "-c", PARQUET, name])
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) is True
