"""Discussions and pull requests, as huggingface_hub calls them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import FormParser
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.parsers import AnyJSONParser
from hub.api.views import RepositoryView
from hub.errors import BadInputError, GatedRepositoryError
from hub.policies import require_files
from reviews.actions import discussions, merging, pull_requests, timeline, verdicts
from reviews.actions.requirements import checklist
from reviews.api import serializers as shapes_in
from reviews.api import shapes
from reviews.models import Discussion
from reviews.policies import get_discussion, get_pull_request

PAGE_SIZE = 50


def read(kind: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The validated body of `request`."""
    form = kind(data=request.data)
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


class DiscussionListView(RepositoryView):
    """GET, POST /api/{kind}s/{namespace}/{name}/discussions"""

    parser_classes = [AnyJSONParser]

    @extend_schema(
        parameters=[
            OpenApiParameter("p", int),
            OpenApiParameter("type", str, enum=["all", "discussion", "pull_request"]),
            OpenApiParameter("status", str, enum=["all", "open", "closed"]),
            OpenApiParameter("author", str),
        ],
        summary=_("Discussions and pull requests, newest first"),
        responses=shapes_in.ListSerializer,
    )
    def get(self, request: Request, **path: Any) -> Response:
        rows = Discussion.objects.filter(repository=self.repository)
        match request.query_params.get("type") or "all":
            case "discussion":
                rows = rows.filter(is_pull_request=False)
            case "pull_request":
                rows = rows.pull_requests()
        match request.query_params.get("status") or "all":
            case "open":
                rows = rows.open()
            case "closed":
                rows = rows.exclude(status__in=("open", "draft"))
        if author := request.query_params.get("author"):
            rows = rows.filter(author__username__iexact=author)
        page = request.query_params.get("p") or "0"
        if not page.isdecimal() or len(page) > 6:
            raise BadInputError("p must be a page number, counted from 0.")
        start = int(page) * PAGE_SIZE
        newest = rows.select_related("author").order_by("-number")[start : start + PAGE_SIZE]
        found = list(newest)
        for row in found:
            row.repository = self.repository
        body = {
            "discussions": [shapes.discussion(row) for row in found],
            "count": rows.count(),
            "start": start,
        }
        return Response(body)

    @extend_schema(
        summary=_("Open a discussion or a draft of a pull request"),
        request=shapes_in.OpenSerializer,
        responses={200: shapes_in.NumberSerializer},
    )
    def post(self, request: Request, **path: Any) -> Response:
        form = read(shapes_in.OpenSerializer, request)
        opens = pull_requests.open_draft if form.pop("pullRequest") else discussions.open_discussion
        return Response({"num": opens(self.repository, self.actor, **form).number})


class _DiscussionView(RepositoryView):
    parser_classes = [AnyJSONParser, FormParser]

    def discussion(self, number: int) -> Discussion:
        return get_discussion(self.repository, number)

    def may_read_files(self) -> bool:
        """Clients always ask for the diff: who is not let in reads the rest without it."""
        try:
            require_files(self.actor, self.repository)
        except GatedRepositoryError:
            return False
        return True


class DiscussionView(_DiscussionView):
    """GET …/discussions/{number}"""

    @extend_schema(
        summary=_("One discussion with all that happened"),
        parameters=[OpenApiParameter("diff", bool)],
        responses=shapes_in.DetailsSerializer,
    )
    def get(self, request: Request, number: int, **path: Any) -> Response:
        with_diff = request.query_params.get("diff") in {"1", "true"}
        with_diff = with_diff and self.may_read_files()
        return Response(shapes.details(self.discussion(number), with_diff=with_diff))


class CommentView(_DiscussionView):
    """POST …/discussions/{number}/comment"""

    @extend_schema(
        summary=_("Comment"),
        request=shapes_in.CommentSerializer,
        responses={200: shapes_in.NewMessageSerializer},
    )
    def post(self, request: Request, number: int, **path: Any) -> Response:
        form = read(shapes_in.CommentSerializer, request)
        line = timeline.add_comment(self.discussion(number), self.actor, form["comment"])
        return Response({"newMessage": shapes.event(line)})


def _event_id(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        raise BadInputError(f"“{text}” is no comment id.") from None


class CommentEditView(_DiscussionView):
    """POST …/discussions/{number}/comment/{event}/edit"""

    @extend_schema(
        summary=_("Edit a comment"),
        request=shapes_in.EditSerializer,
        responses={200: shapes_in.UpdatedCommentSerializer},
    )
    def post(self, request: Request, number: int, event: str, **path: Any) -> Response:
        form = read(shapes_in.EditSerializer, request)
        line = timeline.edit_comment(
            self.discussion(number), self.actor, _event_id(event), form["content"]
        )
        return Response({"updatedComment": shapes.event(line)})


class CommentHideView(_DiscussionView):
    """POST …/discussions/{number}/comment/{event}/hide"""

    @extend_schema(
        summary=_("Hide a comment"),
        request=None,
        responses={200: shapes_in.UpdatedCommentSerializer},
    )
    def post(self, request: Request, number: int, event: str, **path: Any) -> Response:
        line = timeline.hide_comment(self.discussion(number), self.actor, _event_id(event))
        return Response({"updatedComment": shapes.event(line)})


class TitleView(_DiscussionView):
    """POST …/discussions/{number}/title"""

    @extend_schema(
        summary=_("Rename a discussion"),
        request=shapes_in.TitleSerializer,
        responses={200: shapes_in.NewTitleSerializer},
    )
    def post(self, request: Request, number: int, **path: Any) -> Response:
        form = read(shapes_in.TitleSerializer, request)
        line = discussions.rename(self.discussion(number), self.actor, form["title"])
        return Response({"newTitle": shapes.event(line)})


class StatusView(_DiscussionView):
    """POST …/discussions/{number}/status"""

    @extend_schema(
        summary=_("Close or reopen a discussion"),
        request=shapes_in.StatusSerializer,
        responses={200: shapes_in.NewStatusSerializer},
    )
    def post(self, request: Request, number: int, **path: Any) -> Response:
        form = read(shapes_in.StatusSerializer, request)
        line = discussions.change_status(
            self.discussion(number), self.actor, form["status"], comment=form["comment"] or ""
        )
        return Response({"newStatus": shapes.event(line)})


class MergeView(_DiscussionView):
    """POST …/discussions/{number}/merge"""

    @extend_schema(
        summary=_("Merge a pull request"),
        request=shapes_in.MergeSerializer,
        responses={200: shapes_in.MergedSerializer},
    )
    def post(self, request: Request, number: int, **path: Any) -> Response:
        form = read(shapes_in.MergeSerializer, request)
        oid = merging.merge_pull_request(
            get_pull_request(self.repository, number),
            self.actor,
            expected_head=form["expectedHead"],
            expected_base=form["expectedBase"],
            message=form["comment"] or "",
        )
        return Response({"oid": oid})


class ReviewView(_DiscussionView):
    """POST …/discussions/{number}/review: approve or refuse one exact head."""

    @extend_schema(
        summary=_("Review a pull request"),
        request=shapes_in.ReviewSerializer,
        responses={200: shapes_in.ReviewSerializer},
    )
    def post(self, request: Request, number: int, **path: Any) -> Response:
        form = read(shapes_in.ReviewSerializer, request)
        review = verdicts.submit_review(
            get_pull_request(self.repository, number),
            self.actor,
            head_oid=form["head"],
            verdict=form["verdict"],
            body=form["body"],
        )
        body = {"head": review.head_oid, "verdict": review.verdict, "body": review.body}
        return Response(body)


class RequirementsView(_DiscussionView):
    """GET …/discussions/{number}/requirements: everything that still blocks the merge."""

    @extend_schema(
        summary=_("What still blocks the merge"), responses=shapes_in.ChecklistSerializer
    )
    def get(self, request: Request, number: int, **path: Any) -> Response:
        found = checklist(get_pull_request(self.repository, number))
        lines = [
            {
                "key": line.key,
                "label": str(line.label),
                "state": str(line.state),
                "detail": str(line.detail),
            }
            for line in found.lines
        ]
        body = {
            "head": found.change.head_oid,
            "base": found.change.base_oid,
            "mergeable": found.is_met,
            "requirements": lines,
        }
        return Response(body)
