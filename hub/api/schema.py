"""The OpenAPI document: what every operation shares, and addresses as people read them."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext_noop as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes

from hub.models import Kind

Facts = dict[str, Any]
Endpoint = tuple[str, str, str, Any]

_ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string", "description": "One sentence: cause and remedy."}},
    "required": ["error"],
}
_CODES = {
    "X-Error-Code": "RepoNotFound, RevisionNotFound, EntryNotFound, GatedRepo, …",
    "X-Error-Message": "The sentence, for answers without a body.",
}
REFUSAL = {
    "description": "Refused, with the reason in the body and in the headers.",
    "headers": {
        name: {"schema": {"type": "string"}, "description": about} for name, about in _CODES.items()
    },
    "content": {
        media: {"schema": _ERROR} for media in ("application/json", "application/vnd.git-lfs+json")
    },
}
_NO_ROOM = {"description": "A part of the server is away or its disk is full: retry later."}
_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,95}$"
_HEX = r"^[0-9a-f]{64}$"
_TEXT: Facts = {"type": "string", "minLength": 1}
PATH_PARAMETERS: dict[str, tuple[Facts, str]] = {
    "kind": ({"type": "string", "enum": [f"{kind}s" for kind in Kind.values]}, ""),
    "namespace": ({"type": "string", "pattern": _NAME}, "A person or an organisation."),
    "name": ({"type": "string", "pattern": _NAME}, "The repository's name."),
    "slug": ({"type": "string", "pattern": _NAME}, "A person or an organisation."),
    "revision": (_TEXT, "A branch, tag, commit or refs/pr/N; slashes are sent as %2F."),
    "branch": (_TEXT, "The branch; slashes are sent as %2F."),
    "path": (_TEXT, "A path in the repository."),
    "number": ({"type": "integer", "minimum": 1, "maximum": 2**31 - 1}, ""),
    "oid": ({"type": "string", "pattern": _HEX}, "The file's sha256."),
    "hash": ({"type": "string", "pattern": _HEX}, "A Xet hash."),
    "version": ({"type": "string", "enum": ["v1", "v2"]}, ""),
}
# Where in the document an operation stands, by the app, the module or both of its view, in the
# order of reading.
_MODULES = {
    _("Repositories"): "listing repositories info moving duplicating storage tags",
    _("Files and history"): "trees resolve branches preupload commits cards safetensors",
    _("Large files by git-lfs"): "lfs multipart lfs_files",
    _("Large files by Xet"): "xet xet_cas",
    _("Discussions and pull requests"): "reviews",
    _("Runs and the gate"): "training",
    _("Examples, notes and blind review"): (
        "training.examples training.notes training.pins training.blind"
    ),
    _("Measurements and searches"): "training.evaluations training.bisects",
    _("Benchmarks and leaderboards"): (
        "training.catalogue training.leaderboards training.compare training.reports"
    ),
    _("Collections"): "collections",
    _("People and organisations"): "accounts people likes follows social",
    _("Gated access"): "access gated",
    _("Webhooks"): "webhooks",
    _("Signing in from devices"): "oauth devices",
    _("This server"): "openapi",
}
SECTIONS = {module: title for title, modules in _MODULES.items() for module in modules.split()}


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = "hub.http.authentication.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> Facts:
        about = "A token of the person, from the page “Access tokens”; clients know it as HF_TOKEN."
        return {"type": "http", "scheme": "bearer", "description": about}


class PageScheme(OpenApiAuthenticationExtension):
    target_class = "hub.http.authentication.PageAuthentication"
    name = "page"

    def get_security_definition(self, auto_schema: Any) -> Facts:
        about = "The session of a signed-in browser; changes need its CSRF token too."
        return {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": about}


class HubSchema(AutoSchema):
    """Refusals look alike everywhere; a body that no view describes is a plain JSON object."""

    def get_tags(self) -> list[str]:
        app, *_rest, module = type(self.view).__module__.split(".")
        title = SECTIONS.get(f"{app}.{module}") or SECTIONS.get(app) or SECTIONS.get(module)
        return [title or module.replace("_", " ").capitalize()]

    def get_operation_id(self) -> str:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self.view).__name__.removesuffix("View"))
        return f"{name}_{self.method}".lower()

    def _resolve_path_parameters(self, variables: list[str]) -> list[Facts]:
        return [_path_parameter(name) for name in variables]

    def get_request_serializer(self) -> Any:
        return OpenApiTypes.OBJECT

    def get_response_serializers(self) -> Any:
        return {200: OpenApiTypes.OBJECT}

    def _get_response_bodies(self, direction: Any = "response") -> Facts:
        bodies: Facts = super()._get_response_bodies(direction)
        bodies.setdefault("4XX", {"$ref": "#/components/responses/Refusal"})
        bodies.setdefault("503", _NO_ROOM)
        if self.method != "GET":
            bodies.setdefault("507", _NO_ROOM)
        return bodies


def _path_parameter(name: str) -> Facts:
    schema, about = PATH_PARAMETERS.get(name, (_TEXT, ""))
    parameter: Facts = {"in": "path", "name": name, "required": True, "schema": schema}
    return parameter | ({"description": about} if about else {})


def one_spelling(endpoints: list[Endpoint]) -> list[Endpoint]:
    """A preprocessing hook: of addresses with several spellings, the first (`{kind}` says more)."""
    shown = []
    versions = {"xorbs": "v1", "shards": "v1", "reconstructions": "v2"}
    prefixes = tuple(f"/{Kind(kind).web_prefix}" for kind in Kind.values if Kind(kind).web_prefix)
    for path, regex, method, callback in endpoints:
        plain = path.replace("[\\w-]", "default")
        for word, version in versions.items():
            plain = plain.replace(f"{{epoch}}/{word}", f"{{epoch}}/{version}/{word}")
        again = plain.startswith(prefixes) or "{name}/info/lfs" in plain
        if not again:
            shown.append((plain, regex, method, callback))
    return shown


def with_shared_parts(result: Facts, generator: Any, request: Any, public: bool) -> Facts:
    """A postprocessing hook: what operations refer to when they refuse, and their sections."""
    result["components"].setdefault("responses", {})["Refusal"] = REFUSAL
    used = {
        tag for path in result["paths"].values() for one in path.values() for tag in one["tags"]
    }
    known = [title for title in _MODULES if title in used]
    result["tags"] = [{"name": name} for name in [*known, *sorted(used.difference(known))]]
    return result
