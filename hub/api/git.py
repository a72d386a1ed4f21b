"""git over smart HTTP, as `git clone` and `git push` speak it (threats G1 to G7).

Source: gitprotocol-http(5). The right comes from the path of the service, never from a query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial, wraps

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from hub.actions import commits, large_files, refs
from hub.actions.refs import RefChange
from hub.actions.room import require_room
from hub.api.uploads import release_connection
from hub.errors import (
    BadInputError,
    ForbiddenError,
    HubError,
    RepositoryMovedError,
)
from hub.gitstore import GitStore, Pointer
from hub.gitstore.http import advertise, request_body, serve
from hub.gitstore.receive import RefUpdate, check_updates, read_commands, refusal
from hub.http import rates
from hub.http.authentication import actor_from_header
from hub.http.bodies import Body, read_away
from hub.http.refusals import header_text, moved, refusal_status
from hub.http.throttle import client_address
from hub.models import Kind, RepoId, Repository
from hub.policies import (
    ANONYMOUS,
    Actor,
    asked_again,
    get_repository,
    require_files,
    require_proposer,
)

GitView = Callable[[HttpRequest, Actor, Repository], HttpResponseBase]
UPLOAD_PACK, RECEIVE_PACK = "git-upload-pack", "git-receive-pack"


def git_view(view: GitView) -> Callable[..., HttpResponseBase]:
    """Fetch the repository for who sends a token, and say refusals as git shows them."""

    @csrf_exempt
    @wraps(view)
    def answered(request: HttpRequest, kind: Kind, namespace: str, name: str) -> HttpResponseBase:
        actor, spent = ANONYMOUS, None
        try:
            header, address = request.headers.get("Authorization", ""), client_address(request)
            actor = actor_from_header(header, address) or ANONYMOUS
            rate = rates.WRITE if request.path.endswith(RECEIVE_PACK) else rates.API
            if spent := rates.spend(rate, actor, request):
                spent.require()
            repository = get_repository(actor, RepoId(kind, namespace, name))
            response = view(request, actor, repository)
        except RepositoryMovedError as error:
            # Clients send the whole pack before they read: an early answer would break the pipe.
            read_away(request)
            response = moved(request, error)
        except HubError as error:
            response = _refused(error, actor)
            if request.method == "POST":
                read_away(request)
        if spent:
            spent.describe(response)
        response["Cache-Control"] = "no-cache, max-age=0, must-revalidate"
        return response

    return answered


def _refused(error: HubError, actor: Actor) -> HttpResponse:
    status = refusal_status(error, signed_in=actor.is_signed_in)
    # git shows people the text of a refusal when it is plain.
    response = HttpResponse(f"{error}\n", status=status, content_type="text/plain; charset=utf-8")
    response["X-Error-Code"], response["X-Error-Message"] = error.code, header_text(str(error))
    if status == 401:
        response["WWW-Authenticate"] = 'Basic realm="Weighbridge"'
    return response


def _require_right(service: str, actor: Actor, repository: Repository) -> None:
    """Refuse whoever may not use `service` at all; each ref of a push is looked at later."""
    if service == UPLOAD_PACK:
        require_files(actor, repository)
    elif service == RECEIVE_PACK:
        require_proposer(actor, repository)
    else:
        raise BadInputError("Only git's smart protocol is spoken here: use git 1.6.6 or newer.")


@require_GET
@git_view
def info_refs(request: HttpRequest, actor: Actor, repository: Repository) -> HttpResponse:
    """GET /[datasets/]{namespace}/{name}[.git]/info/refs?service=…"""
    service = request.GET.get("service", "")
    _require_right(service, actor, repository)
    store, protocol = repository.store(), request.headers.get("Git-Protocol")
    release_connection()
    advertised = advertise(store, service, protocol)
    return HttpResponse(advertised, content_type=f"application/x-{service}-advertisement")


@require_POST
@git_view
def upload_pack(request: HttpRequest, actor: Actor, repository: Repository) -> HttpResponseBase:
    """POST /[datasets/]{namespace}/{name}[.git]/git-upload-pack: clones and fetches."""
    _require_right(UPLOAD_PACK, actor, repository)
    body = request_body(Body(request), content_encoding=request.headers.get("Content-Encoding", ""))
    store, protocol = repository.store(), request.headers.get("Git-Protocol")
    release_connection()
    return _answer(UPLOAD_PACK, serve(store, UPLOAD_PACK, body, protocol))


@require_POST
@git_view
def receive_pack(request: HttpRequest, actor: Actor, repository: Repository) -> HttpResponseBase:
    """POST /[datasets/]{namespace}/{name}[.git]/git-receive-pack: pushes."""
    _require_right(RECEIVE_PACK, actor, repository)
    require_room()
    encoding = request.headers.get("Content-Encoding", "")
    updates, body = read_commands(request_body(Body(request), content_encoding=encoding))
    store = repository.store()
    reasons = _reasons(repository, store, actor, updates)
    release_connection()
    if reasons:
        return _answer(RECEIVE_PACK, [refusal(updates, body, reasons)])
    answer = serve(
        store,
        RECEIVE_PACK,
        body,
        request.headers.get("Git-Protocol"),
        check_pointers=partial(_late_problem, repository, actor, updates),
        check_card=partial(_card_problem, repository),
        on_moved=partial(_moved, repository, actor),
    )
    return _answer(RECEIVE_PACK, answer)


def _answer(service: str, chunks: Iterable[bytes]) -> StreamingHttpResponse:
    response = StreamingHttpResponse(chunks, content_type=f"application/x-{service}-result")
    response["X-Accel-Buffering"] = "no"
    return response


def _reasons(
    repository: Repository, store: GitStore, actor: Actor, updates: list[RefUpdate]
) -> dict[str, str]:
    """Why each refused ref is refused; empty when all may move."""
    reasons = check_updates(store, updates)
    for update in updates:
        if update.ref not in reasons and (problem := _problem(repository, actor, update)):
            reasons[update.ref] = problem
    return reasons


def _problem(repository: Repository, actor: Actor, update: RefUpdate) -> str | None:
    if update.new is None and update.ref == f"{refs.BRANCH}{repository.default_branch}":
        return "the default branch stays"
    try:
        refs.require_writable(repository, actor, update.ref)
    except ForbiddenError as error:
        if update.ref.startswith(refs.PROPOSAL):
            return "only its author and maintainers push to a pull request, while it is open"
        return str(error)
    return None


def _late_problem(
    repository: Repository, actor: Actor, updates: list[RefUpdate], pointers: list[Pointer]
) -> str | None:
    """Why this push is refused now that all of it is here, or None.

    A pack takes its time: who may not push any more, or not to these refs, is refused still.
    """
    try:
        now = asked_again(actor, repository)
        for update in updates:
            if problem := _problem(now, actor, update):
                return f"{update.ref}: {problem}"
    except HubError as error:
        return str(error)
    finally:
        release_connection()
    return _pointer_problem(now, pointers)


def _pointer_problem(repository: Repository, pointers: list[Pointer]) -> str | None:
    """Why these large files may not be named here, or None."""
    try:
        large_files.require_pointers(repository, pointers)
    except HubError as error:
        return f"{error} Run `git lfs push --all origin` first."
    finally:
        release_connection()
    return None


def _card_problem(repository: Repository, content: bytes) -> str | None:
    """Why this README.md may not be pushed: what the commit API would say of it."""
    try:
        commits.check_card(repository, content)
    except HubError as error:
        return str(error)
    return None


def _moved(repository: Repository, actor: Actor, updates: list[RefUpdate]) -> None:
    try:
        changes = [RefChange(update.ref, update.old, update.new) for update in updates]
        refs.pushed(repository, actor, changes)
    finally:
        release_connection()
