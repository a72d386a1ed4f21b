"""The embedded nginx: renders its configuration and error pages, and says how to run it."""

import contextlib
import html
import json
import os
import re
import socket
import textwrap
from collections.abc import Mapping
from pathlib import Path

from hub.supervisor.children import Process
from hub.supervisor.errors import SupervisorError
from hub.supervisor.programs import nginx_program
from hub.supervisor.services import Services

TEMPLATE = Path(__file__).with_name("nginx.conf.template")
# Error page of nginx itself: status, then code, seconds to wait, and the sentence.
ERRORS = {
    400: ("BadRequest", "", "This is no request that can be understood: look at its headers."),
    408: ("Timeout", "", "The request did not arrive in time. Send it again."),
    413: ("TooLarge", "", "The request is larger than this address takes."),
    414: ("TooLong", "", "The address is longer than 8 KiB: ask for less at once."),
    416: ("RangeNotSatisfiable", "", "The file ends before this range begins."),
    431: ("TooLong", "", "A header is longer than 8 KiB, or all of them are longer than 32 KiB."),
    502: ("Unavailable", "2", "The hub is starting or restarting. Try again in a few seconds."),
    504: ("Timeout", "30", "The hub took too long to answer. Try again later."),
}
# `clean` removes the spooled file after the answer, also when the client goes away midway.
SPOOL_UPLOAD = """\
auth_request /-/internal/authorize-upload;
error_page 413 502 504 /-/internal/errors/$status.$error_form;
error_page 401 403 500 @upload_refused;
error_page 418 = @web;
client_body_in_file_only clean;
client_body_buffer_size 256k;
proxy_pass_request_body off;
proxy_read_timeout 600s;
"""


class Nginx:
    """The front proxy of one hub: listens at HUB_BIND:HUB_PORT and passes on to the web socket."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._folder = services.data.run
        self._configuration = self._folder / "nginx.conf"

    def process(self) -> Process:
        return Process(
            name="nginx",
            argv=(
                str(nginx_program()),
                *("-p", str(self._folder), "-c", str(self._configuration), "-e", "stderr"),
            ),
            is_ready=self.answers,
            before_start=self.prepare,
        )

    def prepare(self) -> None:
        """Write the configuration and the error pages, and empty the spool of a crash."""
        for left in self._services.data.spool.glob("[0-9]*"):
            left.unlink(missing_ok=True)
        self._configuration.write_text(render(self._services))
        pages = self._folder / "errors"
        pages.mkdir(exist_ok=True)
        for status, (_, _, sentence) in ERRORS.items():
            (pages / f"{status}.json").write_text(json.dumps({"error": sentence}))
            (pages / f"{status}.html").write_text(_error_page(status, sentence))

    def answers(self) -> bool:
        address = (self._services.local_host, self._services.port)
        with contextlib.suppress(OSError):
            socket.create_connection(address, timeout=2).close()
            return True
        return False


def render(services: Services) -> str:
    """The configuration for these services. Their paths hold no sign that nginx reads."""
    no_body = {"Content-Length": '""'}
    asked = {
        "X-Original-URI": "$request_uri",
        "X-Original-Method": "$request_method",
        "X-Original-Length": "$http_content_length",
    }
    bind = f"[{services.bind}]" if ":" in services.bind else services.bind
    values = {
        "user": "user root;" if os.geteuid() == 0 else "",
        "run": str(services.data.run),
        "log": str(services.data.log),
        "spool": str(services.data.spool),
        "objects": str(services.data.objects),
        "sockets": str(services.data.sockets),
        "static_root": str(services.static_root),
        "listen": f"{bind}:{services.port}",
        "proxy_headers": _headers(services, {}),
        "spool_upload": SPOOL_UPLOAD
        + _headers(services, no_body | {"X-Body-File": "$request_body_file"}),
        "ask_headers": _headers(services, no_body | asked),
        "refusal_headers": _headers(
            services, asked | {"X-Upload-Refused": "1", "X-Original-Expect": "$http_expect"}
        ),
        "error_codes": _error_map(0),
        "error_waits": _error_map(1),
        "error_messages": _error_map(2),
    }
    return fill(TEMPLATE.read_text(), values)


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with every `{{name}}` replaced; several lines keep the place's indentation.

    Raises: SupervisorError for a name without a value.
    """

    def value(found: re.Match[str]) -> str:
        if found["name"] not in values:
            raise SupervisorError(f"nginx.conf.template names {found['name']}, which has no value.")
        return textwrap.indent(values[found["name"]], found["lead"])

    return re.sub(r"(?P<lead>(?m:^ *)?)\{\{(?P<name>\w+)\}\}", value, template)


def _headers(services: Services, changed: Mapping[str, str]) -> str:
    """`proxy_set_header` lines. One place's list replaces that of the level above, so all repeat.

    A client's own X-Body-File or X-Upload-Refused never arrives: empty ones are not sent.
    """
    headers = {
        "Host": "$http_host",
        "Connection": "close",
        "X-Forwarded-Proto": services.public_url.partition("://")[0],
        "X-Forwarded-For": "$remote_addr",
        "X-Request-ID": "$hub_request_id",
        "X-Body-File": '""',
        "X-Upload-Refused": '""',
        "X-Original-URI": '""',
        "X-Original-Method": '""',
        "X-Original-Length": '""',
    }
    return "\n".join(
        f"proxy_set_header {name} {value};" for name, value in (headers | dict(changed)).items()
    )


def _error_map(column: int) -> str:
    lines = [f"{status} {json.dumps(entry[column])};" for status, entry in ERRORS.items()]
    return "\n".join([*lines, 'default "";'])


def _error_page(status: int, sentence: str) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Weighbridge</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<h1>{status}</h1><p>{html.escape(sentence)}</p></html>\n"
    )
