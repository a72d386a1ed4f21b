"""What a proposal declares as its training data is looked through whole, whatever its name."""

from __future__ import annotations

import gzip
import json

import pytest
from django.utils import timezone

from hub.models import CommitStatus, Kind
from tests.factories import actor, commit_files, make_organization, make_repository
from tests.reviews.factories import push
from tests.training.acting import Act, chooses, questions, set_stage
from tests.training.factories import make_run
from training.actions.gates import start_gate
from training.jobs.inputs import pin_file
from training.models import RunKind, RunStatus

pytestmark = pytest.mark.django_db
LONG = "the quick brown fox jumps over the lazy dog while thirteen sleepy cats watch quietly"
ROWS = [row | {"question": f"{row['number']} {LONG}"} for row in questions(300)]
SHORT = questions(300)


def lines(rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def staged(files: dict[str, bytes], rows=ROWS):
    """A proposal that declares a data set with these files; None: that of the benchmark."""
    namespace = make_organization()
    name = f"{namespace.slug}/train"
    make_repository(namespace, kind=Kind.DATASET, name="train", files=files)
    card = f"---\ndatasets: [{name}]\n---\n".encode()
    act = Act("words", rows, chooses())
    return set_stage(act, namespace=namespace, files={"config.json": b"[1]", "README.md": card})


WRAPPED = [{"text": f"Listen: {row['question']} and so on."} for row in ROWS]


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"train.jsonl": lines(ROWS)}, id="copy"),
        pytest.param({"test.jsonl": lines(WRAPPED)}, id="test"),
        pytest.param({"data/validation-00000.jsonl": lines(WRAPPED)}, id="validation"),
        pytest.param({"EVAL.JSONL": lines(WRAPPED)}, id="capitals"),
        pytest.param({"notes.md": lines(WRAPPED)}, id="another suffix"),
        pytest.param({"data": lines(WRAPPED)}, id="no suffix"),
        pytest.param({"train.json": json.dumps(WRAPPED, indent=1).encode()}, id="a list"),
        pytest.param({"train.jsonl": b"{broken\n" + lines(WRAPPED)}, id="a broken line first"),
        pytest.param(
            {f"a{n:03}.txt": b"x\n" for n in range(60)} | {"z.jsonl": lines(WRAPPED)}, id="many"
        ),
    ],
)  # fmt: skip
def test_no_name_hides_items_in_the_declared_data(files):
    record = staged(files).play()
    assert (record.verdict, record.results[0]["reason"]) == ("error", "contaminated")
    assert CommitStatus.objects.get(context="gate").state == "error"


def test_who_declares_the_benchmarks_own_data_set_has_trained_on_its_items():
    namespace = make_organization()
    card = f"---\ndatasets: [{namespace.slug}/data]\n---\n".encode()
    files = {"config.json": b"[1]", "README.md": card}
    record = set_stage(Act("words", ROWS, chooses()), namespace=namespace, files=files).play()
    assert (record.verdict, record.results[0]["reason"]) == ("error", "contaminated")


def test_equal_rows_are_found_however_short():
    hits = [{"question": " Question  7", "choices": ["Yes", "no"], "kind": "plain", "more": "x"}]
    record = staged({"train.jsonl": lines([*hits, {"question": "question 8"}])}, SHORT).play()
    found = record.contamination["benchmarks"]["words"]
    assert (record.verdict, found["count"]) == ("pass", 1)
    assert staged({"train.jsonl": lines(SHORT[:20])}, SHORT).play().verdict == "error"


CLEAN = {"text": "nothing of that kind stands in here"}


@pytest.mark.parametrize(
    ("files", "rows", "why", "words"),
    [
        pytest.param(
            {"README.md": b"Words.\n"}, ROWS, "no_texts", "no text to compare with", id="none"
        ),
        pytest.param(
            {"train.jsonl.gz": gzip.compress(lines(WRAPPED)), "a.jsonl": lines([CLEAN])},
            ROWS, "unread", "not all that is declared could be read", id="packed",
        ),
        pytest.param(
            {"train.jsonl": lines([CLEAN])}, SHORT, "too_short", "every item is too short",
            id="short",
        ),
        pytest.param(
            {"train.jsonl": lines([CLEAN])}, [*SHORT[:60], *ROWS[60:]], "too_short",
            "60 of 300 items are too short", id="some short",
        ),
        pytest.param({"train.jsonl": lines([CLEAN])}, ROWS, "", "clean", id="clean"),
    ],
)  # fmt: skip
def test_clean_is_said_only_where_items_were_looked_for(
    files, rows, why, words, client_for, api_for
):
    stage = staged(files, rows)
    record = stage.play()
    assert record.verdict == "pass"
    page = client_for().get(f"{stage.url}/benchmarks").content.decode()
    card = page[page.index('id="contamination"') :]
    assert words in card
    assert ("tone-pass" in card.split("</table>")[0], "clean" in card) == (not why, not why)
    told = api_for().get(f"{stage.api}/gate").json()["contamination"]
    assert (told["checked"], told["benchmarks"]["words"]["whyNot"]) == (not why, why)


def fine_tuned(stage, commit_oid: str, **more):
    """A fine-tune of this hub on one file of the data set, that wrote `commit_oid`."""
    commit_files(stage.data, {"train.jsonl": lines([CLEAN])})
    store = stage.data.store()
    head = store.resolve("main")
    file = pin_file(store, head, "train.jsonl").to_json()
    data = {"role": "data", "repository_id": stage.data.pk, "source": stage.data.repo_id}
    return make_run(
        stage.model, kind=RunKind.FINETUNE, status=RunStatus.SUCCEEDED, finished_at=timezone.now(),
        result={"commit": commit_oid},
        spec={"inputs": [data | {"commit": head, "files": [file]}], "recipe": {"dataset": {}}},
        **more,
    )  # fmt: skip


def declared_files(stage) -> list[str]:
    run = start_gate(stage.model, stage.pull_request.number, actor(stage.maintainer))
    return [file["path"] for given in run.inputs("declared") for file in given["files"]]


def test_a_fine_tune_of_this_hub_has_read_what_it_was_given_and_no_more_until_it_is_altered():
    namespace = make_organization()
    card = f"---\ndatasets: [{namespace.slug}/data]\n---\n".encode()
    files = {"config.json": b"[1]", "README.md": card}
    stage = set_stage(Act("words", ROWS, chooses()), namespace=namespace, files=files)
    fine_tuned(stage, stage.pull_request.head_oid, pull_request_number=stage.pull_request.number)
    push(stage.pull_request, {"NOTES.md": b"Words alone.\n"})
    assert declared_files(stage) == ["train.jsonl"]
    push(stage.pull_request, {"config.json": b'{"altered": 1}'})
    assert declared_files(stage) == ["train.jsonl", "train.jsonl", "words.jsonl", "words.yaml"]


@pytest.mark.parametrize("is_merged", [True, False])
def test_what_a_merged_fine_tune_has_read_stays_known(is_merged):
    stage = set_stage(Act("words", ROWS, chooses()))
    card = f"---\ndatasets: [{stage.data.repo_id}]\n---\n".encode()
    commit_files(stage.model, {"README.md": card})
    store = stage.model.store()
    fine_tuned(stage, store.resolve("main") if is_merged else stage.pull_request.head_oid)
    files = declared_files(stage)
    assert files == (["train.jsonl"] if is_merged else ["train.jsonl", "words.jsonl", "words.yaml"])
