"""What the audit trail says of gates."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

_PIN = r"(?P<name>\S+): (?P<item>.+) of (?P<reference>.+)"
AUDIT_SENTENCES = {
    "gate.pin": (
        _PIN,
        gettext_lazy("pinned the example %(item)s of %(reference)s for the gate of %(name)s"),
    ),
    "gate.unpin": (
        _PIN,
        gettext_lazy("unpinned the example %(item)s of %(reference)s for the gate of %(name)s"),
    ),
    "gate.override": (
        r"(?P<name>\S+)#(?P<number>\d+), attempt (?P<attempt>\d+): (?P<text>(?s:.+))",
        gettext_lazy("let %(name)s#%(number)s pass against its gate: %(text)s"),
    ),
}
