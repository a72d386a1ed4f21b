"""Editing and hiding what somebody said."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from hub.errors import BadInputError
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Repository
from reviews.actions import timeline
from reviews.policies import get_comment, get_discussion
from reviews.web.forms import CommentForm


@require_http_methods(["GET", "HEAD", "POST"])
@repository_page()
def edit(request: HttpRequest, repository: Repository, number: int, event: int) -> HttpResponse:
    """The text in a form; refused, it comes back as it was written."""
    actor = actor_of(request)
    row = get_discussion(repository, number)
    comment = get_comment(row, actor, event)
    back = f"{row.get_absolute_url()}#event-{event}"
    if comment.hidden_at:
        messages.error(request, _("This comment is hidden: write a new one."))
        return redirect(back)
    form = CommentForm(request.POST or None, initial={"comment": comment.body})
    if request.method == "POST" and form.is_valid():
        try:
            timeline.edit_comment(row, actor, event, form.cleaned_data["comment"])
        except BadInputError as error:
            form.add_error("comment", str(error))
        else:
            messages.success(request, _("Comment changed."))
            return redirect(back)
    context = frame(repository, "discussions") | {
        "discussion": row,
        "comment": comment,
        "form": form,
        "back": back,
    }
    return render(request, "reviews/comment_edit.html", context, status=422 if form.errors else 200)


@require_POST
@repository_page()
def hide(request: HttpRequest, repository: Repository, number: int, event: int) -> HttpResponse:
    row = get_discussion(repository, number)
    timeline.hide_comment(row, actor_of(request), event)
    messages.success(request, _("Comment hidden."))
    return redirect(f"{row.get_absolute_url()}#event-{event}")
