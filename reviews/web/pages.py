"""Pages of discussions and pull requests."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from hub.actions import inbox
from hub.extensions import registries
from hub.http.authentication import actor_of
from hub.http.changes import changed_files
from hub.http.listening import listening
from hub.http.pages import frame, repository_page
from hub.models import Repository
from hub.policies import require_files
from reviews.actions import discussions
from reviews.models import Discussion
from reviews.policies import get_discussion, may_steward, require_commenter
from reviews.web.context import diffs_of, pull_request_context
from reviews.web.forms import DiscussionForm
from reviews.web.timeline import timeline_rows

COMMITS_SHOWN = 100


@require_http_methods(["GET", "HEAD", "POST"])
@repository_page()
def discussion_new(request: HttpRequest, repository: Repository) -> HttpResponse:
    """Start a discussion; proposing a change starts from the files or a client."""
    actor = actor_of(request)
    require_commenter(actor)
    form = DiscussionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        opened = discussions.open_discussion(repository, actor, **form.cleaned_data)
        return redirect(opened.get_absolute_url())
    context = frame(repository, "discussions") | {"form": form}
    return render(request, "reviews/discussion_new.html", context)


@require_safe
@repository_page()
def discussion_detail(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    """A discussion, or the conversation of a pull request."""
    row = get_discussion(repository, number)
    context: dict[str, Any] = {"timeline": timeline_rows(row, actor_of(request))}
    inbox.saw(repository, actor_of(request), f"discussions/{number}")
    if not row.is_pull_request:
        may = may_steward(request.user, row)
        context |= frame(repository, "discussions") | {
            "discussion": row,
            "thread_listening": listening(actor_of(request), repository, f"discussions/{number}"),
            "may_steward": may,
            "may_rename": may,
        }
        return render(request, "reviews/discussion.html", context)
    context |= pull_request_context(request, row, "conversation")
    return render(request, "reviews/pull_request.html", context)


@require_safe
@repository_page()
def pull_request_files(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    """What the proposal changes, file by file."""
    require_files(actor_of(request), repository)
    row = _pull_request(repository, number)
    context = pull_request_context(request, row, "files")
    diffs = diffs_of(row, context["change"])
    context["changes"] = changed_files(diffs, request.GET.get("file", ""))
    return render(request, "reviews/pull_request_files.html", context)


@require_safe
@repository_page()
def pull_request_commits(request: HttpRequest, repository: Repository, number: int) -> HttpResponse:
    """The commits of the proposal and its patch sets."""
    row = _pull_request(repository, number)
    context = pull_request_context(request, row, "commits")
    change, store = context["change"], repository.store()
    start = store.merge_base(change.base_oid, change.head_oid)
    commits = []
    for commit in store.commits(change.head_oid, limit=COMMITS_SHOWN):
        if commit.oid == start:
            break
        commits.append(commit)
    context |= {
        "commits": commits,
        "patch_sets": row.patch_sets.select_related("pushed_by").order_by("-number"),
    }
    return render(request, "reviews/pull_request_commits.html", context)


@require_safe
@repository_page()
def pull_request_feature(
    request: HttpRequest, repository: Repository, number: int, key: str
) -> HttpResponse:
    """A tab that a feature has added."""
    row = _pull_request(repository, number)
    tab = next((tab for tab in registries.pull_request_tabs if tab.key == key), None)
    if tab is None:
        raise Http404
    context: dict[str, Any] = pull_request_context(request, row, key)
    context |= tab.context(repository, context["change"], request)
    context["feature_template"] = tab.template
    return render(request, "reviews/pull_request_feature.html", context)


@require_safe
@repository_page()
def pull_request_checklist(
    request: HttpRequest, repository: Repository, number: int
) -> HttpResponse:
    """The verdict and the checklist alone: the page asks for them again while a run is live."""
    context = pull_request_context(request, _pull_request(repository, number), "conversation")
    return render(request, "reviews/pull_request_live.html", context)


def _pull_request(repository: Repository, number: int) -> Discussion:
    row = get_discussion(repository, number)
    if not row.is_pull_request:
        raise Http404(_("This is a discussion, not a pull request."))
    return row
