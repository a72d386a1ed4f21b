"""Asking a model something: what it can be asked, the question, and taking it back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from hub.errors import BadInputError, ConflictError, HubError, ThrottledError, UnprocessableError
from hub.jobs.doorbell import ring
from hub.models import Kind, ModelLink, Repository, User
from hub.policies import Actor, repository_by_key, require_files
from training.actions.evaluating import is_taken_in
from training.actions.models import dtype_to_run, files_at, small_json
from training.jobs.inputs import PinnedFile, is_loadable, model_digest
from training.models import Try, TryTask
from training.policies import get_try, require_try
from training.runner.folders import ADAPTER_FILES
from training.tasks import answer_try

log = structlog.get_logger(__name__)
HISTORY_KEPT = 20
HOUR = timedelta(hours=1)
PROMPT_CHARACTERS, TEXTS_LIMIT, STOPS_LIMIT, STOP_CHARACTERS = 8_000, 8, 4, 64
# What an architecture's name ends in says which head it has.
_HEADS = (
    ("ForCausalLM", TryTask.GENERATION),
    ("LMHeadModel", TryTask.GENERATION),
    ("ForMaskedLM", TryTask.FILL_MASK),
    ("ForSequenceClassification", TryTask.CLASSIFICATION),
    ("Model", TryTask.EMBEDDING),
)
_SENTENCES = frozenset({"sentence-similarity", "feature-extraction"})


@dataclass(frozen=True)
class Askable:
    """A revision as it can be asked: `task`, or why it cannot, in words."""

    revision: str
    oid: str = ""
    task: TryTask | None = None
    problem: str = ""
    size_bytes: int = 0
    has_chat: bool = False
    # Of the base where an adapter lies alone, with the adapter's two.
    files: list[PinnedFile] = field(default_factory=list)
    base: Repository | None = None
    base_oid: str = ""


def askable(repository: Repository, actor: Actor, revision: str = "") -> Askable:
    """What `revision` (branch, tag, commit, refs/pr/N; else the default branch) can be asked.

    An adapter that lies alone is put on the base that its card names, as it is now.
    """
    wanted = revision.strip() or repository.default_branch
    try:
        oid = repository.store().resolve(wanted)
        files = files_at(repository, oid)
        base, base_oid, whole = _with_base(repository, actor, files)
        holder = base or repository
        config = small_json(holder, whole, "config.json")
    except HubError as error:
        return Askable(wanted, problem=str(error))
    task, files = _task_of(holder, config), whole
    size_bytes = sum(file.size_bytes for file in files)
    return Askable(
        wanted,
        oid=oid,
        task=task,
        problem=_problem(files, config, task, size_bytes),
        size_bytes=size_bytes,
        has_chat=_has_chat(holder, files),
        files=files,
        base=base,
        base_oid=base_oid,
    )


def _with_base(
    repository: Repository, actor: Actor, files: list[PinnedFile]
) -> tuple[Repository | None, str, list[PinnedFile]]:
    """The files that make a model: of an adapter alone, its base's with the adapter's."""
    adapter = [file for file in files if file.path in ADAPTER_FILES]
    if is_loadable(files) or len(adapter) < len(ADAPTER_FILES):
        return None, "", files
    links = ModelLink.objects.filter(repository=repository.pk, parent__kind=Kind.MODEL)
    keys = set(links.values_list("parent", flat=True))
    base = repository_by_key(actor, keys.pop()) if len(keys) == 1 else None
    if base is None:
        return None, "", files
    require_files(actor, base)
    oid = base.store().resolve(base.default_branch)
    own = [file for file in files_at(base, oid) if file.path not in ADAPTER_FILES]
    return base, oid, [*own, *adapter]


def _task_of(repository: Repository, config: dict[str, Any]) -> TryTask | None:
    named = config.get("architectures")
    names = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    if repository.pipeline_tag in _SENTENCES and names:
        return TryTask.EMBEDDING
    for name in names:
        for ending, task in _HEADS:
            if name.endswith(ending):
                return task
    return None


def _has_chat(repository: Repository, files: list[PinnedFile]) -> bool:
    if any(file.path == "chat_template.jinja" for file in files):
        return True
    return bool(small_json(repository, files, "tokenizer_config.json").get("chat_template"))


def _problem(
    files: list[PinnedFile], config: dict[str, Any], task: TryTask | None, size_bytes: int
) -> str:
    limit = settings.TRY_MODEL_LIMIT_BYTES
    if not is_loadable(files):
        if any(file.path == "adapter_model.safetensors" for file in files):
            return _(
                "Only an adapter lies here: name one base on this server as base_model in the "
                "card, or put the adapter beside its base."
            )
        return _("There are no safetensors weights at this revision: nothing can be loaded.")
    if task is None:
        named = config.get("architectures")
        said = str(named[0])[:80] if isinstance(named, list) and named else "—"
        return _("config.json names %(name)s, which this server does not know how to ask.") % {
            "name": said
        }
    if size_bytes > limit:
        return _("Its files take %(size)s GB; models of up to %(limit)s GB can be tried here.") % {
            "size": f"{size_bytes / 1e9:.1f}",
            "limit": f"{limit / 1e9:.1f}",
        }
    return ""


def submit_try(repository: Repository, actor: Actor, *, revision: str = "", **values: Any) -> Try:
    """Ask a revision of a model something; a worker answers.

    `values`: `prompt`, or `texts` for embeddings; for text generation `max_new_tokens`,
    `temperature`, `top_p`, `seed`, `stop` and `chat` as well.
    Raises:
        UnauthenticatedError, ForbiddenError, GatedRepositoryError: see `policies.require_try`.
        UnprocessableError: the revision cannot be asked. BadInputError: the question.
        ThrottledError: the person asks too much at once.
    """
    require_try(actor, repository, is_proposal=False)
    if not settings.TRY_IT:
        raise UnprocessableError("Trying models is turned off on this server.")
    found = askable(repository, actor, revision)
    if found.problem or found.task is None:
        raise UnprocessableError(found.problem)
    is_proposal = not is_taken_in(repository, found.oid)
    user = require_try(actor, repository, is_proposal=is_proposal)
    facts = {"task": found.task, "request": _asked(found.task, values), "is_proposal": is_proposal}
    return _queue(repository, user, found, facts)


@transaction.atomic
def _queue(repository: Repository, user: User, found: Askable, facts: dict[str, Any]) -> Try:
    User.objects.select_for_update().only("pk").get(pk=user.pk)  # one count at a time
    _require_room(user)
    row = Try.objects.create(
        repository=repository,
        created_by=user,
        revision=found.revision,
        oid=found.oid,
        model_digest=model_digest(found.files),
        base=found.base,
        base_oid=found.base_oid,
        dtype=dtype_to_run(found.base or repository, found.files),
        **facts,
    )
    Try.objects.trim(user.pk, keep=HISTORY_KEPT, within=HOUR)
    ring(answer_try, row.pk)
    log.info("try.queued", try_id=row.pk)
    return row


def _require_room(user: User) -> None:
    mine = Try.objects.filter(created_by=user)
    waiting = mine.live().count()
    if waiting >= settings.TRY_WAITING_LIMIT_PER_USER:
        raise ThrottledError(
            f"You have {waiting} questions that are not answered yet, as many as you may: wait "
            "for an answer, or cancel one."
        )
    lately = mine.filter(created_at__gte=timezone.now() - HOUR).count()
    if lately >= settings.TRY_HOURLY_LIMIT_PER_USER:
        raise ThrottledError(
            f"You have asked {lately} times within an hour, as often as you may: go on later."
        )


def _asked(task: TryTask, values: dict[str, Any]) -> dict[str, Any]:
    """The question as it is frozen. Raises: BadInputError."""
    if task == TryTask.EMBEDDING:
        texts = [_text(text) for text in values.get("texts") or []]
        texts = [text for text in texts if text.strip()]
        if not 2 <= len(texts) <= TEXTS_LIMIT:
            raise BadInputError(f"Give 2 to {TEXTS_LIMIT} sentences to compare.")
        return {"texts": texts}
    prompt = _text(values.get("prompt") or "")
    if not prompt.strip():
        raise BadInputError("Write something to ask the model.")
    if task != TryTask.GENERATION:
        return {"prompt": prompt}
    stop = [_text(text)[:STOP_CHARACTERS] for text in values.get("stop") or [] if text]
    if len(stop) > STOPS_LIMIT:
        raise BadInputError(f"Give at most {STOPS_LIMIT} texts to stop at.")
    return {
        "prompt": prompt,
        "max_new_tokens": _within("max_new_tokens", values, 64, 1, settings.TRY_TOKENS_LIMIT),
        "temperature": _within("temperature", values, 0.0, 0.0, 5.0),
        "top_p": _within("top_p", values, 1.0, 0.01, 1.0),
        "seed": _within("seed", values, 0, 0, 2**31 - 1),
        "stop": stop,
        "chat": bool(values.get("chat")),
    }


def _text(value: str) -> str:
    text = value.replace("\r\n", "\n").replace("\0", "")
    if len(text) > PROMPT_CHARACTERS:
        raise BadInputError(f"A text may have {PROMPT_CHARACTERS} characters: shorten it.")
    return text


def _within(
    name: str, values: dict[str, Any], otherwise: float, least: float, most: float
) -> float:
    value: float = otherwise if values.get(name) is None else values[name]
    if not least <= value <= most:
        raise BadInputError(f"{name} must lie between {least} and {most}.")
    return value


@transaction.atomic
def cancel_try(repository: Repository, actor: Actor, pk: int) -> Try:
    """Take a question back: one that waits ends now, one at work within seconds.

    Raises: NotFoundError; ConflictError when it has ended.
    """
    row = get_try(actor, repository, pk)
    asked = Try.objects.filter(pk=row.pk).live().update(cancel_requested_at=timezone.now())
    if asked != 1:
        raise ConflictError("It has ended already.")
    Try.objects.filter(pk=row.pk).settle_cancelled()
    return get_try(actor, repository, pk)


def before(row: Try) -> int:
    """How many questions are answered before this one."""
    return Try.objects.live().filter(pk__lt=row.pk).count()
