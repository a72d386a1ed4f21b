"""A signed-in browser without JavaScript: pages and forms."""

from __future__ import annotations

from typing import Any, Self

import httpx2

PASSWORD = "correct horse battery"


class Browser:
    def __init__(self, url: str, name: str) -> None:
        self._client = httpx2.Client(
            base_url=url, headers={"accept": "text/html"}, follow_redirects=True, timeout=30
        )
        self.get("/-/sign-in")
        answer = self.post("/-/sign-in", {"username": name, "password": PASSWORD, "next": "/"})
        assert "/-/sign-out" in answer.text, "not signed in"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def get(self, path: str) -> httpx2.Response:
        return self._client.get(path)

    def post(self, path: str, form: dict[str, Any]) -> httpx2.Response:
        token = next(value for name, value in self._client.cookies.items() if "csrf" in name)
        return self._client.post(path, data=form | {"csrfmiddlewaretoken": token})
