"""What the fields of a card may say: what is offered, and what is wrong with anything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from hub.formats import card_choices, languages
from hub.web import field_words
from hub.web.field_words import language_name, task_name

# Cards of long ago name some that are offered no more.
_TASKS = frozenset((*card_choices.TASKS, *field_words.TASKS))


def tasks_offered() -> list[tuple[str, str]]:
    """Tasks with their names in the reader's language."""
    return [(task, task_name(task)) for task in card_choices.TASKS]


def languages_offered() -> list[tuple[str, str]]:
    """Codes with their names in the reader's language: those most in use first."""
    usual = list(card_choices.LANGUAGES)
    others = sorted(code for code in languages.codes() if len(code) == 2 and code not in usual)
    named = [(code, language_name(code)) for code in (*usual, *others)]
    return [(code, name) for code, name in named if name != code or code in usual]


def task_fault(task: str) -> str:
    """What is wrong with a task that a card names; "" for nothing."""
    if task in _TASKS:
        return ""
    near = _near(task, {each: (task_name(each),) for each in card_choices.TASKS})
    if near:
        said = _("“%(task)s” is no task that others search by. Did you mean %(near)s?")
        return said % {"task": task, "near": near}
    return _("“%(task)s” is no task that others search by: choose one of the list.") % {
        "task": task
    }


def language_fault(code: str) -> str:
    """What is wrong with a language that a card names; "" for nothing."""
    if card_choices.is_language(code):
        return ""
    here, english = languages.names(get_language() or "en"), languages.names("en")
    named = {
        each: (here.get(each, name), name, card_choices.LANGUAGES.get(each, ""))
        for each, name in english.items()
    }
    if near := _near(code, named):
        said = _("“%(code)s” is no ISO 639 code of a language. Did you mean %(near)s?")
        return said % {"code": code, "near": near}
    said = _("“%(code)s” is no ISO 639 code of a language, such as en, zh or pt-BR.")
    return said % {"code": code}


# The keys whose values are looked at.
FAULTS: Mapping[str, Callable[[str], str]] = {
    "pipeline_tag": task_fault,
    "task_categories": task_fault,
    "language": language_fault,
}


def _near(written: str, known: Mapping[str, Iterable[str]]) -> str:
    """The value that was meant, by its own letters or by one of its names; "" for none."""
    spelled: dict[str, str] = {}
    for value, given in known.items():
        for name in given:
            spelled.setdefault(name.casefold(), value)
    # Codes of two letters all look alike: they are known by their names.
    spelled |= {value.casefold(): value for value in known if len(value) > 3}
    wanted = written.strip().casefold().replace("_", "-").replace(" ", "-")
    for word in (written.strip().casefold(), wanted):
        if found := get_close_matches(word, spelled, n=1, cutoff=0.8):
            return spelled[found[0]]
    return ""
