"""Routes of verdicts: the gate of a pull request, its examples, notes and pins."""

from __future__ import annotations

from django.urls import URLPattern

from hub.http.routing import api
from training.api.examples import ExamplesView
from training.api.gates import GateOverrideView, GateView
from training.api.notes import NoteListView, NoteView
from training.api.pins import ExamplePinView, PinListView, PinView

_PULL = "/discussions/<int:number>"

VERDICTS: list[URLPattern] = [
    api(f"{_PULL}/gate", GateView.as_view(), "api-gate"),
    api(f"{_PULL}/gate/override", GateOverrideView.as_view(), "api-gate-override"),
    api(f"{_PULL}/examples", ExamplesView.as_view(), "api-examples"),
    api(f"{_PULL}/notes", NoteListView.as_view(), "api-note-list"),
    api(f"{_PULL}/notes/<int:pk>", NoteView.as_view(), "api-note"),
    api(f"{_PULL}/pins", ExamplePinView.as_view(), "api-example-pin"),
    api("/pins", PinListView.as_view(), "api-pin-list"),
    api("/pins/<int:pk>", PinView.as_view(), "api-pin"),
]
