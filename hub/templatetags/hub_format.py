"""Numbers, times and states as short words."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django import template
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from hub.rendering.avatar import hue, initial
from hub.rendering.direction import has_marks, in_order
from hub.web.field_words import task_name

register = template.Library()
register.filter(hue)
register.filter(initial)
register.filter(in_order)
register.filter(task_name)

MINUS = "\N{MINUS SIGN}"
ABSENT = "\N{EM DASH}"  # absence is never shown as 0
BYTE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
COUNT_UNITS = ("", "k", "M", "B", "T")
SINCE = (
    (365 * 86400, gettext_lazy("%dy ago")),
    (30 * 86400, gettext_lazy("%dmo ago")),
    (86400, gettext_lazy("%dd ago")),
    (3600, gettext_lazy("%dh ago")),
    (60, gettext_lazy("%dm ago")),
    (1, gettext_lazy("%ds ago")),
)


class State(NamedTuple):
    """How a state looks and reads: `tone` colours it, `mark` is an icon, `word` says it."""

    tone: str
    mark: str
    word: str | Promise


STATES: dict[str, State] = {
    "pass": State("pass", "check", gettext_lazy("pass")),
    "fail": State("fail", "cross", gettext_lazy("fail")),
    "inconclusive": State("wait", "dots", gettext_lazy("inconclusive")),
    "blocked": State("wait", "dots", gettext_lazy("inconclusive")),
    "error": State("fail", "warn", gettext_lazy("error")),
    "overridden": State("wait", "shield", gettext_lazy("let through")),
    "not-run": State("plain", "dash", gettext_lazy("not run")),
    "wait": State("wait", "dots", gettext_lazy("waiting")),
    "pending": State("wait", "dots", gettext_lazy("pending")),
    "stale": State("wait", "history", gettext_lazy("stale")),
    "run": State("run", "turning", gettext_lazy("running")),
    "plain": State("plain", "ring", ""),
    "draft": State("plain", "draft", gettext_lazy("draft")),
    "queued": State("wait", "dots", gettext_lazy("queued")),
    "running": State("run", "turning", gettext_lazy("running")),
    "succeeded": State("pass", "check", gettext_lazy("succeeded")),
    "success": State("pass", "check", gettext_lazy("success")),
    "failed": State("fail", "cross", gettext_lazy("failed")),
    "failure": State("fail", "cross", gettext_lazy("failure")),
    "cancelled": State("plain", "stop", gettext_lazy("cancelled")),
    "waiting": State("wait", "dots", gettext_lazy("waiting")),
    "delivered": State("pass", "check", gettext_lazy("delivered")),
    "withheld": State("plain", "eye-off", gettext_lazy("withheld")),
    "on": State("pass", "check", gettext_lazy("on")),
    "off": State("plain", "stop", gettext_lazy("off")),
    "lost": State("wait", "again", gettext_lazy("lost")),
    "open": State("run", "pull", gettext_lazy("open")),
    "closed": State("plain", "cross", gettext_lazy("closed")),
    "merged": State("pass", "merge", gettext_lazy("merged")),
    "working": State("run", "turning", gettext_lazy("first in line")),
    "ejected": State("fail", "cross", gettext_lazy("ejected")),
    "withdrawn": State("plain", "stop", gettext_lazy("withdrawn")),
    "approve": State("pass", "check", gettext_lazy("approved")),
    "request_changes": State("fail", "cross", gettext_lazy("changes requested")),
    "comment": State("plain", "comment", gettext_lazy("commented")),
    "added": State("pass", "plus", gettext_lazy("added")),
    "modified": State("wait", "edit", gettext_lazy("modified")),
    "changed": State("run", "edit", gettext_lazy("changed")),
    "alarm": State("wait", "warn", gettext_lazy("look at this")),
    "deleted": State("fail", "trash", gettext_lazy("deleted")),
    "renamed": State("run", "chevron", gettext_lazy("renamed")),
}


def _state(value: object) -> State:
    return STATES.get(str(value).replace("not_run", "not-run"), State("plain", "ring", str(value)))


@register.filter
def status_tone(value: object) -> str:
    """pass, fail, wait, run or plain."""
    return _state(value).tone


@register.filter
def status_mark(value: object) -> str:
    """The name of the icon that says the state without colour."""
    return _state(value).mark


@register.filter
def status_word(value: object) -> str:
    """The state in the reader's language."""
    return str(_state(value).word)


def _scaled(number: float, units: tuple[str, ...]) -> tuple[str, str]:
    """`number` in three digits or so, and its thousands unit."""
    step = 0
    while abs(number) >= 999.5 and step < len(units) - 1:
        number, step = number / 1000, step + 1
    digits = 0 if step == 0 or abs(number) >= 99.95 else 1
    return f"{number:.{digits}f}".removesuffix(".0"), units[step]


@register.filter
def bytes_short(size_bytes: float | None) -> str:
    """Decimal units, as storage is sold and as the Hub counts: 9.8 MB."""
    return (
        ABSENT if size_bytes is None else "\N{NO-BREAK SPACE}".join(_scaled(size_bytes, BYTE_UNITS))
    )


@register.filter
def count_short(number: float | None) -> str:
    """1.2k, 135M."""
    return ABSENT if number is None else "".join(_scaled(number, COUNT_UNITS))


@register.filter
def signed(value: float | None, digits: int = 1) -> str:
    """+1.5 or −0.012, in so many decimals; a dash where nothing was measured."""
    if value is None:
        return ABSENT
    shown = f"{abs(value):.{digits}f}"
    if not float(shown):
        return shown
    return ("+" if value > 0 else MINUS) + shown


@register.filter
def signed_points(points: float | None) -> str:
    """+1.5 or −1.0, in percentage points; a dash where nothing was measured."""
    return signed(points)


@register.filter
def percent1(fraction: float | None) -> str:
    """A fraction between 0 and 1 as 95.5; the heading names the unit."""
    return ABSENT if fraction is None else f"{100 * fraction:.1f}"


@register.filter
def short_oid(oid: str | None) -> str:
    """The first seven letters of a commit."""
    return (oid or ABSENT)[:7]


@register.filter
def duration(seconds: float | None) -> str:
    """1 min 52 s, in the reader's language."""
    if seconds is None:
        return ABSENT
    if seconds < 10:
        return _("%s s") % f"{seconds:.1f}".removesuffix(".0")
    if round(seconds) < 60:
        return _("%s s") % round(seconds)
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest}
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
    days, hours = divmod(hours, 24)
    return _("%(days)d d %(hours)d h") % {"days": days, "hours": hours}


@register.filter
def since(moment: datetime) -> str:
    """2h ago: the words `Intl.RelativeTimeFormat` uses, so a live page does not change its mind."""
    seconds = time.time() - moment.timestamp()
    for at, (length, _words) in enumerate(SINCE):
        if seconds >= length:
            return _since(at, int(seconds // length), get_language())
    return _("now")


@lru_cache(maxsize=2_000)
def _since(at: int, count: int, _language: str | None) -> str:
    return str(SINCE[at][1]) % count


@register.filter(is_safe=True)
def ago(moment: datetime) -> SafeString:
    """A moment as "2h ago", exact on hover: a list has a hundred of them, so it is no template."""
    return _ago(int(moment.timestamp()), since(moment))


@lru_cache(maxsize=4_000)
def _ago(seconds: int, words: str) -> SafeString:
    exact = datetime.fromtimestamp(seconds, UTC).isoformat(" ")[:-6]
    return format_html(
        '<time datetime="{}Z" title="{} UTC" data-relative>{}</time>',
        exact.replace(" ", "T"), exact, words,
    )  # fmt: skip


@register.filter
def items_word(number: int) -> str:
    """1 item, 3 items."""
    return ngettext("%d item", "%d items", number) % number


@register.filter
def as_json(value: Any) -> str:
    """JSON for a data attribute; the template escapes it."""
    return json.dumps(value, cls=DjangoJSONEncoder, separators=(",", ":"), allow_nan=False)


@register.filter
def plain_number(value: float | None) -> str:
    """A number in at most four significant digits, without trailing zeros."""
    if value is None:
        return ABSENT
    return f"{value:.4g}".replace("-", MINUS)


@register.filter
def grouped(value: float | None) -> str:
    """A number without an exponent where one can be spared: 150,000, 74,999.5, 0.0412."""
    if value is None:
        return ABSENT
    size = abs(value)
    if size >= 1e15 or 0 < size < 1e-4:
        text = f"{value:.4g}"
    elif value == int(value):
        text = f"{int(value):,}"
    else:
        digits = 1 if size >= 1000 else 3 - math.floor(math.log10(size))
        text = f"{value:,.{digits}f}".rstrip("0").rstrip(".")
    return text.replace("-", MINUS)


@register.filter
def percent3(fraction: float | None) -> str:
    """A small fraction as per cent in three significant digits: 0.0034 is 0.34 %, 1e-7 1e−5 %."""
    if fraction is None:
        return ABSENT
    return f"{100 * fraction:.3g}\N{NO-BREAK SPACE}%".replace("-", MINUS)


@register.filter
def tick(value: float) -> str:
    """A signed place on an axis: −4, 0, +4."""
    return "0" if value == 0 else ("+" if value > 0 else MINUS) + f"{abs(value):g}"


@register.filter
def as_points(series: Iterable[Any]) -> str:
    """Curves as the JSON that loss-chart.js reads."""
    return as_json(
        {"series": [{name: _of(line, name) for name in ("label", "points")} for line in series]}
    )


@register.filter
def thinned(points: Sequence[Any], most: int = 20) -> list[Any]:
    """At most about `most` points, evenly chosen, the last one always among them."""
    step = max(1, math.ceil(len(points) / most))
    return list(points[(len(points) - 1) % step :: step])


@register.filter
def diff_has_marks(diff: Any) -> bool:
    """Whether a shown line holds marks that change the order in which it is read."""
    return any(has_marks(line.text) for hunk in diff.hunks for line in hunk.lines)


def _of(row: Any, name: str) -> Any:
    return row[name] if isinstance(row, dict) else getattr(row, name)
