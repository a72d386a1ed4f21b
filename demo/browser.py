"""A browser without a screen: signs in, reads pages, sends their forms with their CSRF token."""

from __future__ import annotations

import html
import re
from typing import Any

import requests

from demo.console import StepFailedError
from demo.server import Person

_CSRF = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_NOTICE = re.compile(r'class="notice tone-(\w+)"[^>]*>.*?<span>(.*?)</span>', re.DOTALL)


class Browser:
    """One signed-in person."""

    def __init__(self, url: str, person: Person) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["Accept"] = "text/html"
        self.send(
            "/-/sign-in",
            {"username": person.name, "password": person.password},
            page="/-/sign-in",
        )

    def read(self, path: str) -> str:
        """The page at `path`."""
        answer = self.session.get(f"{self.url}{path}", timeout=60)
        if answer.status_code >= 400:
            raise StepFailedError(f"{path} answered {answer.status_code}")
        return answer.text

    def send(self, path: str, form: dict[str, Any], *, page: str) -> requests.Response:
        """Send a form of `page` to `path` and follow to where it leads."""
        token = _CSRF.search(self.read(page))
        if token is None:
            raise StepFailedError(f"{page} shows no form")
        answer = self.session.post(
            f"{self.url}{path}",
            data=form | {"csrfmiddlewaretoken": token.group(1)},
            headers={"Referer": f"{self.url}{page}"},
            timeout=120,
        )
        if answer.status_code >= 400:
            raise StepFailedError(f"{path} answered {answer.status_code}: {notice(answer.text)}")
        return answer

    def json(self, path: str) -> Any:
        """What the API answers at `path` to this person's session."""
        answer = self.session.get(
            f"{self.url}{path}", headers={"Accept": "application/json"}, timeout=60
        )
        answer.raise_for_status()
        return answer.json()


def notice(page: str) -> str:
    """The first notice on a page: what just happened, or why not."""
    found = _NOTICE.search(page)
    return html.unescape(re.sub(r"<[^>]+>", "", found.group(2))).strip() if found else ""
