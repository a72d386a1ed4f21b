"""Languages by their ISO 639 codes, as the Unicode CLDR knows them, and their names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from babel import localedata
from babel.core import get_global

_LOCALES = {"zh": "zh_Hans"}


@lru_cache(maxsize=1)
def codes() -> frozenset[str]:
    """Every code of two or three letters, those of earlier editions too, in lower case."""
    told = {tag.partition("_")[0] for tag in get_global("likely_subtags")}
    told |= set(get_global("language_aliases")) | set(localedata.load("en")["languages"])
    return frozenset(code for code in told if len(code) in (2, 3) and code.isalpha()) - {"und"}


@lru_cache(maxsize=4)
def names(locale: str) -> Mapping[str, str]:
    """The names of some hundred languages by their codes, in the language of readers."""
    told = localedata.load(_LOCALES.get(locale[:2], "en"))["languages"]
    return {code.replace("_", "-"): name for code, name in told.items()}
