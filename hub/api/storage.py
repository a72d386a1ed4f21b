"""What somebody's repositories take on disk, as `hf repos ls` shows it."""

from __future__ import annotations

from typing import Any

from django.db.models import F, Sum
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api import shapes
from hub.api.views import HubView
from hub.api.wire import linked, moment, number
from hub.errors import BadInputError
from hub.policies import get_shared_namespace, require_person, visible_repositories

PAGE = 1000


class StorageView(HubView):
    """GET /api/settings/repositories and /api/organizations/{slug}/settings/repositories"""

    @extend_schema(
        summary=_("Your repositories, or an organisation's, with their size"),
        responses=shapes.StorageShape(many=True),
    )
    def get(self, request: Request, slug: str = "") -> Response:
        person = require_person(self.actor)
        namespace = get_shared_namespace(self.actor, slug) if slug else person.namespace
        rows = visible_repositories(self.actor).filter(namespace=namespace).with_storage()
        cursor = request.query_params.get("cursor", "0")
        if not cursor.isdecimal() or len(cursor) > 18:
            raise BadInputError("This cursor is not one of ours: start from the first page.")
        limit = number(request, "limit", default=PAGE, most=PAGE)
        whole = rows.aggregate(whole=Sum(F("large_bytes") + F("git_bytes"), default=0))["whole"]
        found = list(rows.filter(pk__gt=int(cursor)).order_by("pk")[: limit + 1])
        shown = found[:limit]
        items = [self._item(row, whole) for row in shown]
        return linked(request, items, cursor=shown[-1].pk if len(found) > limit else None)

    def _item(self, row: Any, whole: int) -> dict[str, Any]:
        storage = row.large_bytes + row.git_bytes
        return {
            "id": row.repo_id,
            "type": row.kind,
            "updatedAt": moment(row.last_modified_at),
            "visibility": row.visibility,
            "storage": storage,
            "storagePercent": round(100 * storage / whole, 2) if whole else 0,
        }
