"""Rows of the role matrix: webhooks. They are their owner's own, whatever a repository says."""

from __future__ import annotations

from typing import Any

from tests.role_matrix import Need, Route, _both, _page

_WATCH = {
    "url": "https://ci.example.org/hook",
    "watched": [{"type": "user", "name": "somebody"}],
}


def _own_webhook(need: Need, body: Any = None) -> Route:
    return Route(need, {"webhook_id": "1"}, of_repository=False, body=lambda world: body)


WEBHOOKS: dict[tuple[str, str], Route] = {
    ("hub:webhooks-api", "GET"): Route(Need.PERSON_TO_WRITE, of_repository=False),
    ("hub:webhooks-api", "POST"): Route(
        Need.PERSON_TO_WRITE, of_repository=False, body=lambda world: _WATCH
    ),
    ("hub:webhook-api", "GET"): _own_webhook(Need.PERSON_TO_WRITE),
    ("hub:webhook-api", "POST"): _own_webhook(Need.PERSON_TO_WRITE, {"domains": ["repo"]}),
    ("hub:webhook-api", "DELETE"): _own_webhook(Need.PERSON_TO_WRITE),
    ("hub:webhook-enable", "POST"): _own_webhook(Need.PERSON_TO_WRITE),
    ("hub:webhook-disable", "POST"): _own_webhook(Need.PERSON_TO_WRITE),
    **_both("hub:webhook-list", _page(Need.PERSON)),
    **_both("hub:webhook", _page(Need.PERSON, kwargs={"pk": 1})),
    **_both("hub:webhook-delivery", _page(Need.PERSON, kwargs={"pk": 1, "delivery": 1})),
    **{
        ("hub:settings/webhooks", method): _page(Need.OPEN)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    },
}
