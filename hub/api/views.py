"""The base of API views: parse the address, fetch with the right access, hand over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from hub.errors import BadInputError
from hub.http import rates
from hub.http.authentication import actor_of
from hub.http.bodies import Body, is_chunked
from hub.models import Access, RepoId, Repository
from hub.policies import Actor, get_repository


class OneLanguage(BaseContentNegotiation):
    """JSON whatever `Accept` says: clients send all kinds and read JSON."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        given = (request.content_type or "").partition(";")[0].strip().lower()
        matching = (parser for parser in parsers if parser.media_type in {given, "*/*"})
        return next(matching, None)

    def select_renderer(
        self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None
    ) -> tuple[Any, str]:
        first = next(iter(renderers))
        return first, first.media_type


class BodyRequest(Request):
    """A request whose body may come in chunks of no announced length."""

    def _load_stream(self) -> None:
        if is_chunked(self._request):
            self._stream: Any = Body(self._request)
        else:
            super()._load_stream()  # type: ignore[misc]


class HubView(APIView):
    """Any API view: `self.actor` is who asks."""

    content_negotiation_class = OneLanguage
    metadata_class = None
    actor: Actor
    # Which quota a request counts against; None for none. Changes count against that of writes.
    rate: str | None = rates.API
    rate_of_changes: str | None = rates.WRITE
    spent: rates.Spent | None = None

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        return BodyRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
        )

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.actor = actor_of(request)
        safe = request.method in {"GET", "HEAD", "OPTIONS"}
        rate = self.rate if safe else self.rate_of_changes
        if rate is not None:
            self.spent = rates.spend(rate, self.actor, request._request)
        if self.spent:
            self.spent.require()

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        if self.spent:
            self.spent.describe(response)
        return super().finalize_response(request, response, *args, **kwargs)


class RepositoryView(HubView):
    """A view of one repository, fetched with `need` before the handler runs.

    URL keywords: `repo` (RepoId). Handlers read `self.repository`.
    """

    need: Access = Access.READ
    # What unsafe methods need, where it differs from reading.
    need_to_write: Access | None = None
    # Whether `repository.large_bytes` is needed: one query fetches it all.
    storage = False
    repository: Repository

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        safe = request.method in {"GET", "HEAD", "OPTIONS"}
        need = self.need if safe or self.need_to_write is None else self.need_to_write
        self.repository = get_repository(
            self.actor, kwargs["repo"], need=need, storage=self.storage
        )

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        kind, namespace, name = kwargs.pop("kind"), kwargs.pop("namespace"), kwargs.pop("name")
        kwargs["repo"] = RepoId(kind, namespace, name)
        return super().dispatch(request, *args, **kwargs)


def body_of(request: Request) -> dict[str, Any]:
    """The JSON object that was sent. Raises: BadInputError for anything else."""
    if not isinstance(request.data, dict):
        raise BadInputError("Send one JSON object.")
    return request.data


def text_of(
    body: dict[str, Any], name: str, *, default: str | None = None, most: int = 65_536
) -> str:
    """A text of a JSON body. Raises: BadInputError when it is missing, too long or none."""
    value = body.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise BadInputError(f"“{name}” must be a text.")
    if "\0" in value:  # Postgres cannot hold it
        raise BadInputError(f"“{name}” holds a control character.")
    if len(value) > most:
        raise BadInputError(f"“{name}” holds at most {most} characters.")
    return value
