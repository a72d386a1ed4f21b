"""Lines of the audit trail as sentences. Each is written as a code that never changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from hub.extensions import registries
from hub.models import AuditEntry
from hub.models.namespaces import Access

Say = Callable[[AuditEntry, dict[str, str]], str]

# How subjects were written: by what stands in them.
_REPOSITORY = re.compile(r"(?:\w+ )?(?P<name>\S+)")
_TO_ANOTHER = re.compile(r"\w+ (?P<name>\S+) → (?P<target>\S+)")
_PERSON = re.compile(r"(?:\w+ )?(?P<name>\S+): (?P<person>.+)")
_PLACE = re.compile(r"(?:\w+ )?(?P<name>\S+) (?P<place>\S+)")
_RULE = re.compile(r"(\d+) approvals, gate (on|off)")
_REFS = (
    ("refs/heads/", gettext_lazy("branch %s")),
    ("refs/tags/", gettext_lazy("tag %s")),
    ("refs/pr/", gettext_lazy("pull request %s")),
)


def sentence(row: AuditEntry) -> str:
    """What `row` tells after the name of who did it; empty for what is told on no page."""
    subject, say = _SAID.get(row.action, (None, None))
    if words := registries.audit_sentences.get(row.action):
        subject, say = re.compile(words[0]), _plain(words[1])
    found = subject.fullmatch(row.subject) if subject else None
    return say(row, found.groupdict()) if found and say else ""


def _plain(words: Any) -> Say:
    return lambda row, named: str(words) % named


def _ending_in(words: Any) -> Say:
    """A token by its name and its last signs."""
    return lambda row, named: f"{str(words) % named} (…{row.new or row.old})"


def _role(name: str) -> str:
    """The label of a role that the trail names in English."""
    return str(Access[name.upper()].label) if name.upper() in Access.names else name


def _role_set(first: Any, other: Any) -> Say:
    """`first` where nothing was held before."""

    def say(row: AuditEntry, named: dict[str, str]) -> str:
        roles = {"old": _role(row.old), "new": _role(row.new)}
        return str(other if row.old else first) % (named | roles)

    return say


def _of_value(words: dict[str, Any], other: Any) -> Say:
    """By the new value."""
    return lambda row, named: str(words.get(row.new, other)) % named


def _protected(row: AuditEntry, named: dict[str, str]) -> str:
    rule = _RULE.fullmatch(row.new)
    count, gate = (int(rule[1]), rule[2]) if rule else (0, "")
    approvals = ngettext("%d approval", "%d approvals", count) % count
    rest = _("the gate must pass") if gate == "on" else _("no gate")
    return _("protected the branch %(place)s of %(name)s: %(approvals)s, %(gate)s") % (
        named | {"approvals": approvals, "gate": rest}
    )


def _ref_moved(row: AuditEntry, named: dict[str, str]) -> str:
    ref = named["place"]
    for prefix, words in _REFS:
        if ref.startswith(prefix):
            ref = str(words) % ref.removeprefix(prefix)
    values = {"ref": ref, "name": named["name"], "old": row.old[:7], "new": row.new[:7]}
    if not row.old:
        return _("made the %(ref)s of %(name)s at %(new)s") % values
    if not row.new:
        return _("deleted the %(ref)s of %(name)s, which was at %(old)s") % values
    return _("moved the %(ref)s of %(name)s from %(old)s to %(new)s") % values


def _large_file_removed(row: AuditEntry, named: dict[str, str]) -> str:
    values = named | {"place": named["place"][:12]}
    return _("removed the large file %(place)s… from %(name)s") % values


_PICTURE = (
    _REPOSITORY,
    _of_value(
        {"removed": gettext_lazy("removed the picture of %(name)s")},
        gettext_lazy("chose a picture for %(name)s"),
    ),
)
_SAID: dict[str, tuple[re.Pattern[str], Say]] = {
    "repository.create": (_REPOSITORY, _plain(gettext_lazy("created %(name)s"))),
    "repository.delete": (_REPOSITORY, _plain(gettext_lazy("deleted %(name)s"))),
    "repository.visibility": (
        _REPOSITORY,
        _of_value(
            {"public": gettext_lazy("made %(name)s public")}, gettext_lazy("made %(name)s private")
        ),
    ),
    "repository.gated": (
        _REPOSITORY,
        _of_value(
            {
                "": gettext_lazy("opened the files of %(name)s to all who see it"),
                "auto": gettext_lazy("gated the files of %(name)s: who asks is let in"),
            },
            gettext_lazy("gated the files of %(name)s: each request is decided"),
        ),
    ),
    "repository.move": (_TO_ANOTHER, _plain(gettext_lazy("moved %(name)s to %(target)s"))),
    "repository.offer": (_TO_ANOTHER, _plain(gettext_lazy("offered %(name)s to %(target)s"))),
    "repository.offer_end": (_REPOSITORY, _plain(gettext_lazy("ended the offer of %(name)s"))),
    "collaborator.set": (
        _PERSON,
        _role_set(
            gettext_lazy("gave %(person)s the role %(new)s on %(name)s"),
            gettext_lazy("changed the role of %(person)s on %(name)s from %(old)s to %(new)s"),
        ),
    ),
    "collaborator.remove": (_PERSON, _plain(gettext_lazy("took %(person)s off %(name)s"))),
    "member.set": (
        _PERSON,
        _role_set(
            gettext_lazy("made %(person)s a member of %(name)s with the role %(new)s"),
            gettext_lazy("changed the role of %(person)s in %(name)s from %(old)s to %(new)s"),
        ),
    ),
    "member.remove": (
        _PERSON,
        _plain(gettext_lazy("ended the membership of %(person)s in %(name)s")),
    ),
    "member.invite": (
        _PERSON,
        _role_set(gettext_lazy("invited %(person)s to %(name)s with the role %(new)s"), ""),
    ),
    "member.invite_withdrawn": (
        _PERSON,
        _plain(gettext_lazy("withdrew the invitation of %(person)s to %(name)s")),
    ),
    "member.joined": (
        _PERSON,
        _role_set(gettext_lazy("joined %(name)s with the role %(new)s"), ""),
    ),
    "member.declined": (_PERSON, _plain(gettext_lazy("declined the invitation to %(name)s"))),
    "access.ask": (
        _PERSON,
        _of_value(
            {"accepted": gettext_lazy("asked for the files of %(name)s and was let in")},
            gettext_lazy("asked for the files of %(name)s"),
        ),
    ),
    "access.decide": (
        _PERSON,
        _of_value(
            {
                "accepted": gettext_lazy("let %(person)s have the files of %(name)s"),
                "rejected": gettext_lazy("refused %(person)s the files of %(name)s"),
            },
            gettext_lazy("took back the answer to %(person)s about the files of %(name)s"),
        ),
    ),
    "access.grant": (
        _PERSON,
        _plain(gettext_lazy("let %(person)s have the files of %(name)s unasked")),
    ),
    "branch.protect": (_PLACE, _protected),
    "branch.unprotect": (
        _PLACE,
        _plain(gettext_lazy("ended the protection of the branch %(place)s of %(name)s")),
    ),
    "large_file.remove": (_PLACE, _large_file_removed),
    "ref.move": (_PLACE, _ref_moved),
    "organization.create": (_REPOSITORY, _plain(gettext_lazy("created the organisation %(name)s"))),
    "organization.update": (
        _REPOSITORY,
        _plain(gettext_lazy("changed the profile or defaults of %(name)s")),
    ),
    "organization.picture": _PICTURE,
    "person.picture": _PICTURE,
    "person.create": (_REPOSITORY, _plain(gettext_lazy("made the account %(name)s"))),
    "person.email": (_REPOSITORY, _plain(gettext_lazy("changed the mail address of %(name)s"))),
    "person.password": (_REPOSITORY, _plain(gettext_lazy("set a new password for %(name)s"))),
    "person.sign_out": (_REPOSITORY, _plain(gettext_lazy("signed %(name)s out everywhere"))),
    "person.deactivate": (_REPOSITORY, _plain(gettext_lazy("deactivated the account %(name)s"))),
    "person.reactivate": (_REPOSITORY, _plain(gettext_lazy("reactivated the account %(name)s"))),
    "person.password_link": (
        _REPOSITORY,
        _plain(gettext_lazy("made a link to a new password for %(name)s")),
    ),
    "organization.delete": (_REPOSITORY, _plain(gettext_lazy("deleted the organisation %(name)s"))),
    "person.close": (_REPOSITORY, _plain(gettext_lazy("closed the account %(name)s"))),
    "repository.duplicate": (
        _TO_ANOTHER,
        _plain(gettext_lazy("duplicated %(name)s as %(target)s")),
    ),
    "token.create": (
        _PERSON,
        _ending_in(gettext_lazy("made the access token “%(person)s” of %(name)s")),
    ),
    "token.revoke": (
        _PERSON,
        _ending_in(gettext_lazy("revoked the access token “%(person)s” of %(name)s")),
    ),
    "device.approved": (
        _PERSON,
        _plain(gettext_lazy("let the device “%(person)s” in as %(name)s")),
    ),
    "device.denied": (_PERSON, _plain(gettext_lazy("refused a device as %(name)s"))),
    "device.reuse": (
        _PERSON,
        _plain(gettext_lazy("ended the sign-in “%(person)s” of %(name)s: its key was used twice")),
    ),
    "webhook.create": (_PERSON, _plain(gettext_lazy("made a webhook to %(person)s"))),
    "webhook.update": (_PERSON, _plain(gettext_lazy("changed a webhook to %(person)s"))),
    "webhook.delete": (_PERSON, _plain(gettext_lazy("deleted a webhook to %(person)s"))),
    "collection.create": (_REPOSITORY, _plain(gettext_lazy("created the collection %(name)s"))),
    "collection.delete": (_REPOSITORY, _plain(gettext_lazy("deleted the collection %(name)s"))),
    "collection.visibility": (
        _REPOSITORY,
        _of_value(
            {"public": gettext_lazy("made the collection %(name)s public")},
            gettext_lazy("made the collection %(name)s private"),
        ),
    ),
}
