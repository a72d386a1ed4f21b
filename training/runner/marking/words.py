"""Texts as words to compare: Latin words by white space, Chinese text by character."""

import re
import unicodedata

# Scripts that are written without spaces: Han, kana, and their extensions.
UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
HAS_UNSPACED = re.compile(f"[{UNSPACED}]")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_ROUGE = re.compile(f"[{UNSPACED}]|[a-z0-9]+|[^\\W_{UNSPACED}]+")
_UNSPACED_APART = re.compile(f"([{UNSPACED}])")


def is_unspaced(text: str) -> bool:
    """Whether `text` has a character of a script without spaces."""
    return HAS_UNSPACED.search(text) is not None


def squad_words(text: str, tokenize: str | None = None) -> list[str]:
    """Words without case, punctuation and articles; `tokenize` is word, char, or by script.

    Source: Rajpurkar et al. 2016, SQuAD, arXiv:1606.05250, evaluate-v1.1, normalize_answer; a
    character of Chinese or Japanese is a word, as in the Chinese sets that followed it.
    """
    plain = "".join(letter for letter in text.lower() if not _is_punctuation(letter))
    plain = _ARTICLES.sub(" ", plain)
    if tokenize == "char":
        return [letter for letter in plain if not letter.isspace()]
    if tokenize is None:
        plain = _UNSPACED_APART.sub(r" \1 ", plain)
    return plain.split()


def rouge_words(text: str, tokenize: str | None = None) -> list[str]:
    """Runs of letters and digits, in lower case. On English text those of rouge_score."""
    text = text.lower()
    if tokenize == "char":
        return [letter for letter in text if letter.isalnum()]
    if tokenize == "word":
        return re.findall(r"[^\W_]+", text)
    return _ROUGE.findall(text)


def _is_punctuation(letter: str) -> bool:
    return unicodedata.category(letter)[0] in "PS"
