"""Rows of the role matrix for the inbox, letters and what people choose to hear."""

from __future__ import annotations

from tests.role_matrix import Need, Route, _both, _form, _page

INBOX: dict[tuple[str, str], Route] = {
    **_both("hub:inbox", _page(Need.PERSON)),
    ("hub:inbox-count", "GET"): _page(Need.PERSON),
    ("hub:inbox-open", "GET"): _page(Need.PERSON, kwargs={"pk": 1}),
    ("hub:people", "GET"): _page(Need.PERSON, query={"q": "a"}),
    **_both("hub:notification-settings", _page(Need.PERSON)),
    # Whoever holds a letter's link ends that letter's kind, and learns nothing else.
    ("hub:unsubscribe", "GET"): _page(Need.OPEN, kwargs={"token": "nothing"}),
    ("hub:unsubscribe", "POST"): _page(Need.OPEN, kwargs={"token": "nothing"}),
    ("hub:listen", "POST"): Route(Need.PROPOSE, takes_tokens=False, **_form("level=watching")),
}
