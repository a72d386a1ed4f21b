"""The pictures of people and organisations: chosen, shown wherever they are named, taken away."""

from __future__ import annotations

from hashlib import sha256

from django.db import transaction
from django.utils.translation import gettext as _

from hub.actions import audit
from hub.errors import BadInputError, TooLargeError
from hub.formats.square_picture import square_picture
from hub.models import Namespace, NamespaceKind, Picture, User
from hub.policies import Actor

LIMIT_BYTES = 4 * 1024 * 1024
_ACTIONS = {
    NamespaceKind.USER: "person.picture",
    NamespaceKind.ORGANIZATION: "organization.picture",
}


def choose_picture(namespace: Namespace, data: bytes, *, by: Actor) -> None:
    """Show `data`, cut to a square, for a person or an organisation; the caller may govern it.

    Raises: TooLargeError; BadInputError for what is no picture that can be read.
    """
    if len(data) > LIMIT_BYTES:
        raise TooLargeError(
            _("A picture has at most %(limit)s MB.") % {"limit": LIMIT_BYTES // 1024**2}
        )
    content = square_picture(data)
    if content is None:
        raise BadInputError(
            _("This is no picture that can be read: send a PNG, JPEG or WebP of at most 40 MP.")
        )
    _show(namespace, content, by)


def remove_picture(namespace: Namespace, *, by: Actor) -> None:
    """Show the tile with the first letter again. Done twice, it does nothing."""
    _show(namespace, None, by)


@transaction.atomic
def _show(namespace: Namespace, content: bytes | None, by: Actor) -> None:
    row = Namespace.objects.select_for_update().get(pk=namespace.pk)
    new, old = None if content is None else _held(content, row.picture_id), row.picture_id
    if new == old:
        return
    Namespace.objects.filter(pk=row.pk).update(picture=new)
    User.objects.filter(namespace=row).update(picture=new)
    action = _ACTIONS[NamespaceKind(row.kind)]
    audit.record(by, action, row.slug, new="chosen" if new else "removed", about=row)
    drop_unused(old)


def _held(content: bytes, old: str | None) -> str:
    """The key of a picture whose row stays: nobody drops it before this transaction ends.

    The row of `old` is taken with it, in one order for all, so that two never wait for each other.
    """
    key = sha256(content).hexdigest()
    while True:
        Picture.objects.get_or_create(sha256=key, defaults={"content": content})
        rows = Picture.objects.filter(pk__in={key, old or key}).order_by("pk")
        if key in set(rows.select_for_update().values_list("pk", flat=True)):
            return key


def drop_unused(key: str | None) -> None:
    """Remove a picture that nobody shows any more."""
    row = Picture.objects.select_for_update().filter(pk=key).first()
    if row and not row.people.exists() and not row.namespaces.exists():
        row.delete()
