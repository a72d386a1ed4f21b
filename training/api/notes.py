"""Notes on the items of a pull request over the API."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hub.api.parsers import AnyJSONParser
from hub.api.views import RepositoryView
from training.actions.disclosure import disclose
from training.actions.notes import accept_item, comment_on_item, remove_note, talk_of
from training.actions.standing import records_of
from training.api.verdict_shapes import (
    DoneShape,
    ItemNoteSerializer,
    NoteShape,
    NotesShape,
    note_shape,
)
from training.models import NoteKind


class NoteListView(RepositoryView):
    """GET, POST /api/{kind}s/{namespace}/{name}/discussions/{number}/notes"""

    parser_classes = [AnyJSONParser]

    @extend_schema(summary=_("Notes on the examples of a pull request"), responses=NotesShape)
    def get(self, request: Request, number: int, **path: Any) -> Response:
        """Those on items that you may see, in the order in which they were written."""
        record = records_of(self.repository, number).first()
        if record is None:
            return Response({"notes": []})
        talk = talk_of(self.repository, number, disclose(record, self.actor))
        found = [
            (note, key) for (key, _item), thread in talk.threads.items() for note in thread.notes
        ]
        found.sort(key=lambda each: each[0].pk)
        return Response({"notes": [note_shape(note, key) for note, key in found]})

    @extend_schema(
        summary=_("Say something about an example"),
        request=ItemNoteSerializer,
        responses={201: NoteShape},
    )
    def post(self, request: Request, number: int, **path: Any) -> Response:
        """A comment, or, with write access, that the example's change is acceptable."""
        form = ItemNoteSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = dict(form.validated_data)
        says = accept_item if given.pop("kind") == NoteKind.ACCEPTABLE else comment_on_item
        note = says(self.repository, number, self.actor, **given)
        return Response(note_shape(note, given["benchmark"]), status=201)


class NoteView(RepositoryView):
    """DELETE /api/{kind}s/{namespace}/{name}/discussions/{number}/notes/{pk}"""

    @extend_schema(summary=_("Take a note back"), responses=DoneShape)
    def delete(self, request: Request, number: int, pk: int, **path: Any) -> Response:
        remove_note(self.repository, number, self.actor, pk)
        return Response({"success": True})
