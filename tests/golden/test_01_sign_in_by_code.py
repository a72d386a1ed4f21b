"""Call 2: the login that is approved in a browser."""

from __future__ import annotations

import re

from tests.golden.person import Person


def test_call_2_a_code_lets_this_computer_in(ann: Person):
    fresh = {"HF_HOME": str(ann.home / "call-2"), "HF_TOKEN": ""}
    with ann.start([ann.client.hf, "auth", "login"], **fresh) as process:
        assert process.stdout
        said = ""
        while "Waiting" not in said:
            character = process.stdout.read(1)
            assert character, said
            said += character
        approve(ann, said)
        said += process.stdout.read()
    assert process.returncode == 0, said
    assert ann.name in ann.hf("auth", "whoami", **fresh)


def approve(person: Person, said: str) -> None:
    """What somebody does in the browser after `hf` has said its code and where to go."""
    url = re.search(rf"{re.escape(person.endpoint)}/\S+", said)
    code = re.search(r"\b([A-Z0-9]{4}-[A-Z0-9]{4})\b", said)
    assert url and code, said
    address = url[0].removeprefix(person.endpoint)
    form = {"user_code": code[1], "decision": "approve", "name": "my computer", "scope": "write"}
    with person.browser() as browser:
        assert code[1] in browser.get(address).text
        assert browser.post(address.partition("?")[0], form).status_code < 400
