"""The buttons that change files, for whoever may use them."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context

from hub.actions.refs import BRANCH, PROPOSAL
from hub.http.authentication import actor_of
from hub.policies import file_access, may_propose, may_write_ref
from hub.web.places import file_url

register = template.Library()
VIEWS = ("edit", "move", "delete", "new", "upload")


@register.inclusion_tag("hub/writing_buttons.html", takes_context=True)
def writing_buttons(context: Context, place: str) -> dict[str, Any]:
    """What may be done at a `place` (file, folder or card) of the page in `context`.

    Nothing for a commit or tag, which never change, and for those who may not read the files or
    not even propose.
    """
    repository, path = context["repository"], context.get("path") or ""
    revision = context.get("revision") or repository.default_branch
    actor = actor_of(context["request"])
    if not file_access(actor, repository).allows:
        may = False
    elif revision.startswith(PROPOSAL):
        may = may_write_ref(actor, repository, revision)
    else:
        store = context.get("store") or repository.store()
        may = may_propose(actor, repository) and store.ref_oid(f"{BRANCH}{revision}") is not None
    if not may:
        return {"place": ""}
    urls = {view: file_url(repository, view, revision, path) for view in VIEWS}
    urls["card"] = file_url(repository, "edit", revision, "README.md")
    urls["metadata"] = file_url(repository, "metadata", revision, "")
    has_card = bool(context.get("card"))
    return {
        "place": place,
        "urls": urls,
        "path": path,
        "has_card": has_card,
        # The editor writes UTF-8 alone.
        "is_text": bool(context.get("has_blame")) and not context.get("encoding"),
    }
