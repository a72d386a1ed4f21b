"""What a card asks of people who want the files of a gated repository.

The keys are those of the public Hub: `extra_gated_heading`, `extra_gated_description`,
`extra_gated_prompt` (markdown), `extra_gated_button_content` and `extra_gated_fields`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.formats.errors import AccessFormError

KINDS = ("text", "checkbox", "date_picker", "country", "select")
FIELDS_LIMIT, OPTIONS_LIMIT = 20, 50
LABEL_LIMIT, PROMPT_LIMIT, ANSWER_LIMIT = 200, 20_000, 1000
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_YES = {"true", "on", "1", "yes"}


@dataclass(frozen=True, slots=True)
class AccessField:
    """One question. `options` are (value, label) of a select; `key` names it in a web form."""

    key: str
    label: str
    kind: str = "text"
    description: str = ""
    options: tuple[tuple[str, str], ...] = ()
    is_optional: bool = False

    def read(self, value: Any) -> Any:
        """The answer as it is kept: a text, or true for a ticked box; None when there is none.

        Raises: AccessFormError.
        """
        if self.kind == "checkbox":
            return self._ticked(value)
        given = value if isinstance(value, str) else ""
        # Neither Postgres nor a page can hold a NUL or half of a character.
        text = "".join(c if c.isprintable() or c in "\n\t" else " " for c in given).strip()
        if not text:
            if self.is_optional:
                return None
            raise AccessFormError(f"“{self.label}” needs an answer.")
        if len(text) > ANSWER_LIMIT:
            raise AccessFormError(f"“{self.label}” takes at most {ANSWER_LIMIT} characters.")
        if self.kind == "select" and text not in dict(self.options):
            raise AccessFormError(f"“{self.label}” is answered by one of its options.")
        if self.kind == "date_picker" and not _DATE.fullmatch(text):
            raise AccessFormError(f"“{self.label}” is a date: write it like 2026-01-31.")
        return text

    def _ticked(self, value: Any) -> bool:
        ticked = value is True or (isinstance(value, str) and value.strip().lower() in _YES)
        if not ticked and not self.is_optional:
            raise AccessFormError(f"“{self.label}” must be agreed to.")
        return ticked


@dataclass(frozen=True, slots=True)
class AccessForm:
    """What is asked, in words that the card chose; an empty text means the hub's own words."""

    heading: str = ""
    description: str = ""
    prompt: str = ""
    button: str = ""
    fields: tuple[AccessField, ...] = field(default=())

    def read(self, given: Mapping[str, Any], *, by_key: bool = False) -> dict[str, Any]:
        """The answers by label. `given` is by label, as programs send it, or by key.

        Raises: AccessFormError for the first that is missing or wrong.
        """
        answers = {}
        for one in self.fields:
            answer = one.read(given.get(one.key if by_key else one.label))
            if answer is not None:
                answers[one.label] = answer
        return answers


def access_form(card_data: Any) -> AccessForm:
    """The form that a card asks for; whatever it spells wrong is left out, never a fault."""
    card = card_data if isinstance(card_data, dict) else {}
    return AccessForm(
        heading=_text(card.get("extra_gated_heading")),
        description=_text(card.get("extra_gated_description"), 1000),
        prompt=_text(card.get("extra_gated_prompt"), PROMPT_LIMIT),
        button=_text(card.get("extra_gated_button_content"), 80),
        fields=_fields(card.get("extra_gated_fields")),
    )


def _text(value: Any, limit: int = LABEL_LIMIT) -> str:
    return value.strip()[:limit] if isinstance(value, str) else ""


def _fields(value: Any) -> tuple[AccessField, ...]:
    if not isinstance(value, dict):
        return ()
    found: list[AccessField] = []
    for label, said in list(value.items())[:FIELDS_LIMIT]:
        if one := _field(_text(label), said):
            found.append(one)
    return tuple(found)


def _field(label: str, said: Any) -> AccessField | None:
    facts = said if isinstance(said, dict) else {"type": said}
    kind = _text(facts.get("type")).lower()
    options = _options(facts.get("options")) if kind == "select" else ()
    if not label or kind not in KINDS or (kind == "select" and not options):
        return None
    is_optional = str(facts.get("optional", "")).lower() in _YES
    # From the label, so that a card that changes meanwhile puts no answer to another question.
    key = f"field-{hashlib.sha256(label.encode()).hexdigest()[:12]}"
    return AccessField(key, label, kind, _text(facts.get("description")), options, is_optional)


def _options(value: Any) -> tuple[tuple[str, str], ...]:
    found = []
    for one in value[:OPTIONS_LIMIT] if isinstance(value, list) else ():
        facts = one if isinstance(one, dict) else {"label": one}
        label = _text(facts.get("label"))
        if label:
            found.append((_text(facts.get("value")) or label, label))
    return tuple(found)
