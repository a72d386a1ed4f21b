"""Pictures of people and organisations: the file itself, and the forms that choose one."""

from __future__ import annotations

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from hub.actions import organizations, pictures
from hub.errors import BadInputError, HubError, NotFoundError, ThrottledError, TooLargeError
from hub.http.authentication import actor_of
from hub.http.throttle import TRIES, count_try
from hub.models import Access, Namespace, Picture
from hub.policies import get_namespace, require_person


@require_safe
def picture(request: HttpRequest, sha256: str) -> HttpResponse:
    """The bytes of a picture, which never change under their name."""
    row = Picture.objects.filter(pk=sha256).first()
    if row is None:
        raise NotFoundError(_("There is no such picture."))
    response = HttpResponse(bytes(row.content), content_type="image/webp")
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


@require_POST
def own_picture(request: HttpRequest) -> HttpResponse:
    """A picture of oneself, or none any more."""
    user = require_person(actor_of(request))
    _change(request, user.namespace)
    return redirect("hub:profile")


@require_POST
def organization_picture(request: HttpRequest, slug: str) -> HttpResponse:
    """The picture of an organisation, or none any more."""
    namespace = get_namespace(actor_of(request), slug, need=Access.ADMIN)
    organizations.require_organization(namespace)
    _change(request, namespace)
    return redirect("hub:organization-settings", slug=namespace.slug)


def _change(request: HttpRequest, namespace: Namespace) -> None:
    actor = actor_of(request)
    try:
        if request.POST.get("do") == "remove":
            pictures.remove_picture(namespace, by=actor)
            messages.success(request, _("The picture is removed."))
        else:
            pictures.choose_picture(namespace, _sent(request), by=actor)
            messages.success(request, _("The picture is saved."))
    except HubError as error:
        messages.error(request, str(error))


def _sent(request: HttpRequest) -> bytes:
    """What the form brought. Raises: BadInputError, TooLargeError, ThrottledError."""
    sent = request.FILES.get("picture")
    if not isinstance(sent, UploadedFile):
        raise BadInputError(_("Choose a picture first."))
    if (sent.size or 0) > pictures.LIMIT_BYTES:
        limit = pictures.LIMIT_BYTES // 1024**2
        raise TooLargeError(_("A picture has at most %(limit)s MB.") % {"limit": limit})
    if count_try(f"picture:{request.user.pk}") > TRIES:
        raise ThrottledError(_("Too many tries. Wait five minutes, then try again."))
    return sent.read()
