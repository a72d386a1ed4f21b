"""Routes of the gate editor and of the blind desk."""

from __future__ import annotations

from django.urls import URLPattern

from hub.http.routing import page
from training.web import blind, gate_editor

RULES: list[URLPattern] = [
    *page("/settings/gate", gate_editor.edit, "gate-editor"),
    *page("/discussions/<int:number>/blind/vote", blind.vote, "blind-vote"),
    *page("/discussions/<int:number>/blind/undo", blind.undo, "blind-undo"),
]
