"""Names of people, for boxes in which one is named."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from hub.http.authentication import actor_of
from hub.models import User
from hub.policies import require_person

SHOWN = 8


@require_safe
def people_list(request: HttpRequest) -> JsonResponse:
    """The first people whose name begins with `q`, as the comment box asks."""
    require_person(actor_of(request))
    begins = request.GET.get("q", "").strip()[:40]
    found = User.objects.none()
    if begins:
        wanted = Q(username__istartswith=begins) | Q(full_name__istartswith=begins)
        found = User.objects.filter(wanted, is_active=True).order_by("username")
    rows = found.values_list("username", "full_name")[:SHOWN]
    return JsonResponse([{"name": name, "fullName": full} for name, full in rows], safe=False)
