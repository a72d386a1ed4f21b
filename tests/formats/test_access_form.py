"""What a card asks of people who want the files."""

from __future__ import annotations

import pytest

from hub.formats.access_form import FIELDS_LIMIT, OPTIONS_LIMIT, access_form
from hub.formats.card import parse_card
from hub.formats.errors import AccessFormError

CARD = """---
extra_gated_heading: "Ask us"
extra_gated_description: "We answer in two days"
extra_gated_button_content: "Agree and ask"
extra_gated_prompt: "You agree to **nothing** bad."
extra_gated_fields:
  Company: text
  Country: country
  Specific date: date_picker
  I want to use this for:
    type: select
    options:
      - Research
      - label: Other
        value: other
  Anything else:
    type: text
    optional: true
    description: In a word
  I agree: checkbox
---
# Hi
"""


def test_the_public_hubs_keys_are_read_from_a_card():
    form = access_form(parse_card(CARD, "model").data)
    assert (form.heading, form.button) == ("Ask us", "Agree and ask")
    assert form.description == "We answer in two days"
    assert form.prompt == "You agree to **nothing** bad."
    kinds = [(one.label, one.kind, one.is_optional) for one in form.fields]
    assert kinds == [
        ("Company", "text", False),
        ("Country", "country", False),
        ("Specific date", "date_picker", False),
        ("I want to use this for", "select", False),
        ("Anything else", "text", True),
        ("I agree", "checkbox", False),
    ]
    assert form.fields[3].options == (("Research", "Research"), ("other", "Other"))
    assert form.fields[4].description == "In a word"


def test_answers_are_read_by_label_and_by_key():
    form = access_form(parse_card(CARD, "model").data)
    given = ["Acme", "Norway", "2026-01-31", "other", "", "on"]
    wanted = {
        "Company": "Acme",
        "Country": "Norway",
        "Specific date": "2026-01-31",
        "I want to use this for": "other",
        "I agree": True,
    }
    by_label = dict(zip([one.label for one in form.fields], given, strict=True))
    by_key = dict(zip([one.key for one in form.fields], given, strict=True))
    assert form.read(by_label) == form.read(by_key, by_key=True) == wanted
    with pytest.raises(AccessFormError, match="Specific date"):
        form.read(by_label | {"Specific date": "tomorrow"})


@pytest.mark.parametrize(
    "card",
    [
        None,
        [],
        {"extra_gated_fields": ["Company"]},
        {"extra_gated_fields": {"Company": "password", "": "text", "Who": None, "Which": 3}},
        {"extra_gated_fields": {"Which": {"type": "select", "options": {}}}},
        {"extra_gated_fields": {"Which": {"type": "select", "options": [None, {}, 7]}}},
        {"extra_gated_prompt": {"a": 1}, "extra_gated_heading": 7},
    ],
)
def test_what_a_card_spells_wrong_is_left_out(card):
    form = access_form(card)
    assert form.fields == ()
    assert form.read({"Company": "Acme"}) == {}


def test_a_card_cannot_ask_without_end():
    many = {f"Field {number}": "text" for number in range(FIELDS_LIMIT + 5)}
    assert len(access_form({"extra_gated_fields": many}).fields) == FIELDS_LIMIT
    options = {"type": "select", "options": [str(number) for number in range(OPTIONS_LIMIT + 5)]}
    (one,) = access_form({"extra_gated_fields": {"Which": options}}).fields
    assert len(one.options) == OPTIONS_LIMIT
    (long,) = access_form({"extra_gated_fields": {"x" * 500: "text"}}).fields
    assert len(long.label) == 200
