"""What every page that changes files shares: where the change goes, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub.actions import refs
from hub.actions.commits import Committed
from hub.actions.editing import Aim
from hub.errors import ForbiddenError, UnauthenticatedError
from hub.http.authentication import actor_of
from hub.models import Repository
from hub.policies import may_propose, may_write_ref, require_files
from hub.web.places import crumbs, file_url

SUMMARY_LENGTH, DESCRIPTION_LENGTH = 200, 10_000


@dataclass(frozen=True)
class Ground:
    """The branch or proposal that a page changes, and what its reader may do to it."""

    repository: Repository
    revision: str
    head: str
    may_push: bool
    may_open: bool
    why_not: str

    def context(self, path: str) -> dict[str, Any]:
        return {
            "ground": self,
            "revision": self.revision,
            "path": path,
            "file_crumbs": crumbs(self.repository, self.revision, path),
        }

    def url(self, view: str, path: str = "") -> str:
        return file_url(self.repository, view, self.revision, path)


def ground_of(request: HttpRequest, repository: Repository, revision: str) -> Ground:
    """Where `request` may change `repository`.

    Raises: UnauthenticatedError, ForbiddenError, GatedRepositoryError, RevisionNotFoundError for
    what is no branch.
    """
    actor = actor_of(request)
    if not actor.is_signed_in:
        raise UnauthenticatedError(f"Sign in to change {repository.repo_id}.")
    require_files(actor, repository)
    store = repository.store()
    ref = refs.target_ref(store, revision)
    may_open = ref.startswith(refs.BRANCH) and may_propose(actor, repository)
    may_push, why_not = may_write_ref(actor, repository, ref), ""
    if not may_push:
        why_not = _("You have no write access here: your change becomes a pull request.")
    elif ref.startswith(refs.BRANCH) and refs.is_protected(repository, ref):
        may_push = False
        why_not = _("%(branch)s is protected: it changes by pull requests only.") % {
            "branch": revision
        }
    if not may_push and not may_open:
        raise ForbiddenError(f"You may not change {revision} of {repository.repo_id}.")
    return Ground(repository, revision, store.resolve(ref), may_push, may_open, why_not)


class CommitForm(forms.Form):
    """The summary of a change and where it goes."""

    parent = forms.CharField(widget=forms.HiddenInput)
    # After a race: the commit that the author began from, where a proposal of theirs starts.
    began = forms.CharField(widget=forms.HiddenInput, required=False)
    title = forms.CharField(
        label=gettext_lazy("What changes, in a few words"),
        max_length=SUMMARY_LENGTH,
        required=False,
    )
    description = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=DESCRIPTION_LENGTH,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    way = forms.ChoiceField(label=gettext_lazy("Where it goes"), widget=forms.RadioSelect)

    def __init__(self, ground: Ground, data: Any = None, *, title: str = "", **more: Any) -> None:
        initial = {"parent": ground.head, "way": "branch" if ground.may_push else "propose"}
        super().__init__(data, initial=initial, **more)
        self.ground, self.default_title = ground, title
        self.fields["title"].widget.attrs["placeholder"] = title
        branch = _("Commit to %(branch)s") % {"branch": ground.revision}
        ways = [("branch", branch)] if ground.may_push else []
        if ground.may_open:
            ways.append(("propose", _("Open a pull request")))
        self.fields["way"].choices = ways  # type: ignore[attr-defined]
        self.fields["way"].help_text = ground.why_not

    def clean_parent(self) -> str:
        parent = self.cleaned_data["parent"]
        return self.ground.repository.store().resolve(parent) if parent else ""

    def clean_began(self) -> str:
        began = self.cleaned_data["began"]
        return self.ground.repository.store().resolve(began) if began else ""

    def aim(self) -> Aim:
        """What was filled in; a summary that was left out is the suggested one."""
        given, propose = self.cleaned_data, self.cleaned_data["way"] == "propose"
        return Aim(
            self.ground.revision,
            given["began"] if propose and given["began"] else given["parent"],
            given["title"].strip() or self.default_title,
            given["description"].replace("\r\n", "\n"),
            propose=propose,
        )

    def look_at(self, head: str) -> None:
        """Go on from `head`, which the author is shown now."""
        began = self.cleaned_data["began"] or self.cleaned_data["parent"]
        self.data = {**self.data.dict(), "began": began, "parent": head}  # type: ignore[attr-defined]


def seen_oid(form: CommitForm) -> str:
    """The commit that the page was made from: what was sent, else the branch as it is."""
    sent = form.data.get("parent", "") if form.is_bound else ""
    return form.ground.repository.store().resolve(sent) if sent else form.ground.head


def done(request: HttpRequest, ground: Ground, made: Committed, url: str) -> HttpResponse:
    """To the pull request that was opened, or to what was changed."""
    if made.proposal is not None:
        messages.success(request, _("Your change is proposed. It holds once this is merged."))
        return redirect(made.proposal.path)
    said = _("Committed to %(branch)s as %(oid)s.")
    messages.success(request, said % {"branch": ground.revision, "oid": made.oid[:7]})
    return redirect(url)
