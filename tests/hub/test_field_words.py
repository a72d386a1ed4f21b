"""Tasks, languages and sizes are told in the reader's words, wherever they stand."""

from __future__ import annotations

import pytest
from django.utils.translation import override

from hub.formats.card_choices import SIZES as ROWS
from hub.formats.card_choices import TASKS as OFFERED
from hub.formats.facets import SIZES as PARAMETERS
from hub.jobs import refresh
from hub.models import Kind
from hub.web.field_words import TASKS, size_name, size_order, task_name
from tests.factories import make_organization, make_repository


def test_every_task_that_a_form_offers_has_words():
    assert set(OFFERED) <= set(TASKS)
    assert task_name("text-generation") == "text-generation"
    assert task_name("own-task") == "own-task"


@pytest.mark.parametrize(
    ("size", "name"),
    [
        ("0-100M", "0–100M parameters"),
        ("500M-1B", "500M–1B parameters"),
        ("80B+", "from 80B parameters on"),
        ("n<1K", "fewer than 1K rows"),
        ("100K<n<1M", "100K–1M rows"),
        ("n>1B", "more than 1B rows"),
        ("unknown", "unknown"),
    ],
)
def test_a_size_says_what_it_counts(size, name):
    assert size_name(size) == name


def test_sizes_stand_in_order_parameters_before_rows():
    parameters = [key for key, _end in PARAMETERS]
    mixed = ["what", *reversed(ROWS), *reversed(parameters)]
    assert sorted(mixed, key=size_order) == [*parameters, *ROWS, "what"]


@pytest.mark.django_db
def test_facets_are_told_in_chinese(client_for):
    lab = make_organization()
    card = b"---\nlanguage: [en, zh]\nsize_categories: 1K<n<10K\n---\nRows."
    row = make_repository(lab, kind=Kind.DATASET, files={"README.md": card})
    refresh.refresh(row.pk)
    client = client_for()
    assert "1K–10K rows" in client.get("/-/explore").content.decode()
    with override("zh-hans"):
        page = client.get("/-/explore", headers={"accept-language": "zh-hans"}).content.decode()
    assert "英语 · en" in page or "英文 · en" in page
    assert "English · en" not in page
    assert "中文 · zh" in page
    about = client.get(row.get_absolute_url()).content.decode()
    assert "1K–10K rows" in about
