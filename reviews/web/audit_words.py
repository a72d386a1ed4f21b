"""What the audit trail says of pull requests and the merge queue."""

from __future__ import annotations

from django.utils.translation import gettext_lazy

_INTO = r"(?P<name>\S+)#(?P<number>\d+) into (?P<place>\S+)"
AUDIT_SENTENCES = {
    "pull_request.merge": (_INTO, gettext_lazy("merged %(name)s#%(number)s into %(place)s")),
    "queue.joined": (_INTO, gettext_lazy("queued %(name)s#%(number)s for %(place)s")),
    "queue.left": (_INTO, gettext_lazy("took %(name)s#%(number)s out of the queue for %(place)s")),
    "queue.ejected": (
        _INTO,
        gettext_lazy("put %(name)s#%(number)s out of the queue for %(place)s: it could not merge"),
    ),
}
