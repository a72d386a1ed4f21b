"""People: an account and the namespace that is theirs, together or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from hub.actions import audit, names
from hub.actions.names import require_free_name
from hub.errors import BadInputError, ConflictError
from hub.models import Access, BrowserSession, Membership, Namespace, NamespaceKind, User

if TYPE_CHECKING:
    from hub.policies import Actor


def create_user(
    username: str,
    *,
    email: str = "",
    full_name: str = "",
    password: str | None = None,
    is_admin: bool = False,
    by: Actor | None = None,
) -> User:
    """Create a person with their own namespace. Without a password only tokens let them in.

    Raises: BadInputError (name, mail address, weak password), ConflictError (name taken).
    """
    require_free_name(username)
    user = User(username=username, email=email, full_name=full_name)
    user.is_staff = user.is_superuser = is_admin
    _require_email(email)
    _set_password(user, password)
    try:
        with transaction.atomic():
            user.save()
            _create_own_namespace(user)
            audit.record(by, "person.create", username)
    except IntegrityError:
        raise ConflictError(f"The name “{username}” is taken: choose another.") from None
    return user


def _create_own_namespace(user: User) -> None:
    namespace = Namespace.objects.create(
        slug=user.username, kind=NamespaceKind.USER, full_name=user.full_name, owner=user
    )
    Membership.objects.create(namespace=namespace, user=user, access=Access.ADMIN)


@transaction.atomic
def update_user(
    user: User,
    *,
    email: str | None = None,
    full_name: str | None = None,
    bio: str | None = None,
    link: str | None = None,
    language: str | None = None,
    password: str | None = None,
    is_admin: bool | None = None,
    by: Actor | None = None,
) -> User:
    """Change what is given and leave the rest. A new password ends every session.

    Raises: BadInputError (mail address, link, language, weak password).
    """
    if email is not None and email != user.email:
        _require_email(email)
        audit.record(by, "person.email", user.username)
        user.email = email
    if language is not None:
        user.language = _known_language(language)
    if full_name is not None:
        user.full_name = full_name
    profile = {"full_name": full_name, "bio": bio, "link": link and names.checked_link(link)}
    given = {name: value for name, value in profile.items() if value is not None}
    if given:
        Namespace.objects.filter(owner=user).update(**given)
    if is_admin is not None:
        user.is_staff = user.is_superuser = is_admin
    if password is not None:
        _set_password(user, password)
        BrowserSession.objects.filter(user=user).delete()
        audit.record(by, "person.password", user.username)
    user.save()
    return user


def _known_language(language: str) -> str:
    if language and language not in dict(settings.LANGUAGES):
        raise BadInputError("These pages do not speak that language.")
    return language


def _require_email(email: str) -> None:
    try:
        if email:
            validate_email(email)
    except ValidationError:
        raise BadInputError(f"“{email[:80]}” is no mail address: write name@example.org.") from None


def _set_password(user: User, password: str | None) -> None:
    try:
        if password is not None:
            validate_password(password, user)
    except ValidationError as error:
        raise BadInputError(" ".join(error.messages)) from None
    user.set_password(password)
