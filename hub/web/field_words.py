"""Words of the field in the reader's language: tasks, languages and sizes, as cards spell them."""

from __future__ import annotations

import re

from django.utils.translation import get_language, get_language_info, gettext_lazy
from django.utils.translation import gettext as _

from hub.formats import languages

# English readers know them by the names that cards use.
TASKS = {
    "any-to-any": gettext_lazy("any-to-any"),
    "audio-classification": gettext_lazy("audio-classification"),
    "audio-text-to-text": gettext_lazy("audio-text-to-text"),
    "audio-to-audio": gettext_lazy("audio-to-audio"),
    "automatic-speech-recognition": gettext_lazy("automatic-speech-recognition"),
    "depth-estimation": gettext_lazy("depth-estimation"),
    "document-question-answering": gettext_lazy("document-question-answering"),
    "feature-extraction": gettext_lazy("feature-extraction"),
    "fill-mask": gettext_lazy("fill-mask"),
    "graph-ml": gettext_lazy("graph-ml"),
    "image-classification": gettext_lazy("image-classification"),
    "image-feature-extraction": gettext_lazy("image-feature-extraction"),
    "image-segmentation": gettext_lazy("image-segmentation"),
    "image-text-to-image": gettext_lazy("image-text-to-image"),
    "image-text-to-text": gettext_lazy("image-text-to-text"),
    "image-text-to-video": gettext_lazy("image-text-to-video"),
    "image-to-3d": gettext_lazy("image-to-3d"),
    "image-to-image": gettext_lazy("image-to-image"),
    "image-to-text": gettext_lazy("image-to-text"),
    "image-to-video": gettext_lazy("image-to-video"),
    "keypoint-detection": gettext_lazy("keypoint-detection"),
    "mask-generation": gettext_lazy("mask-generation"),
    "multiple-choice": gettext_lazy("multiple-choice"),
    "object-detection": gettext_lazy("object-detection"),
    "other": gettext_lazy("other"),
    "question-answering": gettext_lazy("question-answering"),
    "reinforcement-learning": gettext_lazy("reinforcement-learning"),
    "robotics": gettext_lazy("robotics"),
    "sentence-similarity": gettext_lazy("sentence-similarity"),
    "summarization": gettext_lazy("summarization"),
    "table-question-answering": gettext_lazy("table-question-answering"),
    "table-to-text": gettext_lazy("table-to-text"),
    "tabular-classification": gettext_lazy("tabular-classification"),
    "tabular-regression": gettext_lazy("tabular-regression"),
    "tabular-to-text": gettext_lazy("tabular-to-text"),
    "text-classification": gettext_lazy("text-classification"),
    "text-generation": gettext_lazy("text-generation"),
    "text-ranking": gettext_lazy("text-ranking"),
    "text-retrieval": gettext_lazy("text-retrieval"),
    "text-to-3d": gettext_lazy("text-to-3d"),
    "text-to-audio": gettext_lazy("text-to-audio"),
    "text-to-image": gettext_lazy("text-to-image"),
    "text-to-speech": gettext_lazy("text-to-speech"),
    "text-to-video": gettext_lazy("text-to-video"),
    "text2text-generation": gettext_lazy("text2text-generation"),
    "time-series-forecasting": gettext_lazy("time-series-forecasting"),
    "token-classification": gettext_lazy("token-classification"),
    "translation": gettext_lazy("translation"),
    "unconditional-image-generation": gettext_lazy("unconditional-image-generation"),
    "video-classification": gettext_lazy("video-classification"),
    "video-text-to-text": gettext_lazy("video-text-to-text"),
    "video-to-video": gettext_lazy("video-to-video"),
    "visual-document-retrieval": gettext_lazy("visual-document-retrieval"),
    "visual-question-answering": gettext_lazy("visual-question-answering"),
    "voice-activity-detection": gettext_lazy("voice-activity-detection"),
    "zero-shot-classification": gettext_lazy("zero-shot-classification"),
    "zero-shot-image-classification": gettext_lazy("zero-shot-image-classification"),
}
_ROWS = re.compile(r"(?P<low>\d+[KMBT]?)<n<(?P<high>\d+[KMBT]?)|n(?P<sign>[<>])(?P<end>\d+[KMBT]?)")
_PARAMETERS = re.compile(r"(?P<low>\d+[MB]?)-(?P<high>\d+[MB]?)|(?P<end>\d+[MB]?)\+")
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def task_name(task: str) -> str:
    """A task in the reader's words; as the card has it where we have none."""
    return str(TASKS.get(task, task))


def language_name(code: str) -> str:
    """A language by its name in the reader's; the code itself where we have none."""
    wide = {"zh": _("Chinese"), "multilingual": _("many languages")}
    if code in wide:
        return wide[code]
    try:
        name: str = get_language_info(code.lower())["name_translated"]
    except KeyError:
        return languages.names(get_language() or "en").get(code, code)
    return name


def size_name(size: str) -> str:
    """A bucket of a model's parameters or of a data set's rows, and which of both it counts."""
    if found := _PARAMETERS.fullmatch(size):
        if found["end"]:
            return _("from %(low)s parameters on") % {"low": found["end"]}
        return _("%(low)s–%(high)s parameters") % found.groupdict()
    if found := _ROWS.fullmatch(size):
        if found["low"]:
            return _("%(low)s–%(high)s rows") % found.groupdict()
        if found["sign"] == "<":
            return _("fewer than %(high)s rows") % {"high": found["end"]}
        return _("more than %(low)s rows") % {"low": found["end"]}
    return size


def size_order(size: str) -> tuple[int, float]:
    """Where a bucket stands: parameters before rows, the small ones first, what is neither last."""
    if found := _PARAMETERS.fullmatch(size):
        return 0, _amount(found["low"] or found["end"])
    if found := _ROWS.fullmatch(size):
        if found["low"]:
            return 1, _amount(found["low"])
        return 1, _amount(found["end"]) if found["sign"] == ">" else 0
    return 2, 0


def _amount(text: str) -> float:
    unit = text[-1] if text[-1].isalpha() else ""
    return float(text.removesuffix(unit)) * _UNITS[unit]
