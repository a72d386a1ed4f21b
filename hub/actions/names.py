"""Names of people and organisations: one list for both, and words the addresses need."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator

from hub.errors import BadInputError, ConflictError
from hub.models import Namespace
from hub.models.repositories import check_name

# First parts of addresses of this server, of the public Hub, and names that would mislead.
_RESERVED = """
    about account admin administrator anonymous api assets auth auto benchmarks blog buckets cas
    chat collections compare dashboard dataset datasets discussions docs download enterprise
    explore favicon.ico feed files git healthz help home hub inbox info internal jobs join kernel
    kernels leaderboards lfs login logout main me metrics model models new none notifications null
    oauth operator organization organizations orgs papers posts pricing privacy raw readyz
    refs resolve robots.txt root runs search security settings sign-in sign-out sign-up signin
    signout signup space spaces static status storage support system tasks terms tokens undefined
    uploads user users v1 v2 webhooks well-known xet
    """
RESERVED = frozenset(_RESERVED.split())


def checked_link(link: str) -> str:
    """A web address for a profile, or nothing. Raises: BadInputError."""
    try:
        if link:
            URLValidator(schemes=["http", "https"])(link)
    except ValidationError:
        raise BadInputError("The link is no web address: write https://example.org.") from None
    return link


def require_free_name(slug: str) -> None:
    """Refuse a namespace's name that is malformed, reserved or taken, in any case.

    Raises: BadInputError, ConflictError.
    """
    check_name(slug)
    if slug.lower() in RESERVED:
        raise BadInputError(f"“{slug}” is a name this server needs itself: choose another.")
    if Namespace.objects.filter(slug__iexact=slug).exists():
        raise ConflictError(f"The name “{slug}” is taken: choose another.")
