"""The design page: every component with sample data, to judge the look in one place."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from hub.gitstore.values import FileDiff, Hunk, HunkLine
from hub.rendering import code_lines, render_markdown
from hub.templatetags.hub_format import STATES

CODE = '''"""Fold an adapter into its base."""
import torch

@torch.no_grad()
def merge(base, a, b, *, alpha: float = 16.0):
    rank = a.shape[0]  # r
    return base + (alpha / rank) * (b @ a)
'''
CARD = """---
license: apache-2.0
---
# spam-guard

A small filter for short messages, fine-tuned from [SmolLM2](../SmolLM2) on `demo/sms-spam`.[^1]

| benchmark | score | interval |
|:--|--:|:-:|
| spam | 95.5 | 92.7 – 97.5 |
| BLiMP | 80.6 | 77.5 – 83.4 |

- [x] English
- [ ] Chinese: it *guesses*

> It answers with one word.

```python
pipe = pipeline("text-generation", "demo/spam-guard")
```

[^1]: The data set was collected in 2011.
"""
LOG = """12:04:11 reading base demo/SmolLM2-135M-Instruct@8f31c02
12:04:13 LoRA r=8 on q_proj, v_proj: 460 800 of 134 515 008 parameters learn
12:04:15 step   10  loss 2.4127  lr 1.0e-04
12:04:17 step   20  loss 1.9035  lr 2.0e-04
12:04:19 step   30  loss 1.5211  lr 1.9e-04
"""


class SampleForm(forms.Form):
    """Fields in every state a form can show."""

    name = forms.CharField(label=_("Name"), help_text=_("Letters, digits, dots and hyphens."))
    method = forms.ChoiceField(label=_("Method"), choices=[("lora", "LoRA"), ("full", "Full")])
    message = forms.CharField(label=_("Message"), widget=forms.Textarea, required=False)
    private = forms.BooleanField(label=_("Private"), required=False)


def design(request: HttpRequest) -> HttpResponse:
    """GET /-/design"""
    return render(request, "hub/design.html", sample_context())


def sample_context() -> dict[str, Any]:
    """What templates/hub/design.html needs, with invented numbers."""
    return {
        "states": [name for name in STATES if name != "plain"],
        "requirements": _requirements(),
        "tabs": _tabs(),
        "crumbs": [("demo", "#"), ("spam-guard", "#"), (_("Pull requests"), "")],
        "differences": _differences(),
        "versions": _versions(),
        "series": _series(),
        "columns": [str(layer) for layer in range(16)],
        "heat_rows": _heat_rows(),
        "flips": _flips(),
        "scores": _scores(),
        "files": _files(),
        "diff": _diff(),
        "code": code_lines(CODE, "merge.py"),
        "card": render_markdown(CARD, link=lambda path, is_image: f"/demo/{path}"),
        "log": LOG,
        "snippet": 'export HF_ENDPOINT=http://127.0.0.1:8000\nhf download "demo/spam-guard"',
        "form": SampleForm({"name": "", "method": "lora"}),
        "page": Paginator(range(95), 10).page(2),
        "moments": [timezone.now() - timedelta(seconds=s) for s in (5, 400, 9000, 5e5, 4e7)],
        "oid": "8f31c02b5c3a9ed1f0a47c2be2a9d7f6c01d2e3f",
        "sizes": [861, 9_800_000, 269_060_552],
        "seconds": [0.8, 112, 11_100],
    }


def _requirements() -> list[dict[str, Any]]:
    return [
        {
            "state": "pass",
            "title": _("Benchmarks"),
            "detail": _("4 of 4 no worse than allowed, 1 improved"),
            "action": _("see"),
        },
        {
            "state": "pass",
            "title": _("Weights"),
            "detail": _("Like LoRA of rank 8, no NaN, embeddings untouched"),
            "action": _("see"),
        },
        {
            "state": "pending",
            "title": _("Code review"),
            "detail": _("1 of 2 approvals on patch set 3"),
            "action": _("ask"),
        },
        {
            "state": "fail",
            "title": _("Data owner"),
            "detail": _("recipes/ needs an owner of the data"),
            "action": _("ask"),
        },
        {
            "state": "running",
            "title": _("Reproduced"),
            "detail": _("Second seed running, 2 min left"),
            "action": _("log"),
        },
        {
            "state": "stale",
            "title": _("Approval"),
            "detail": _("It names patch set 2; the newest is 3"),
            "action": _("ask again"),
        },
    ]


def _tabs() -> list[dict[str, Any]]:
    names = [
        ("conversation", _("Conversation"), 6),
        ("files", _("Files"), 4),
        ("weights", _("Weights"), 210),
        ("benchmarks", _("Benchmarks"), 4),
        ("examples", _("Examples"), 98),
        ("runs", _("Runs"), 3),
        ("settings", _("Settings"), None),
    ]
    return [{"key": key, "label": label, "url": "#", "count": n} for key, label, n in names]


def _differences() -> list[dict[str, Any]]:
    rows = [
        ("spam", _("balanced accuracy"), 45.0, 37.2, 52.8, 2.0, "pass", _("improved")),
        ("BLiMP", _("accuracy"), 1.5, -0.8, 3.8, 2.0, "pass", _("no change")),
        ("WinoBias", _("distance from 50 %"), -1.0, -4.6, 2.6, 5.0, "inconclusive", None),
        ("songci", _("bits per byte"), -3.4, -4.1, -2.7, 1.0, "fail", _("worse")),
        ("HumanEval", _("not in this image"), None, None, None, 2.0, "not-run", None),
    ]
    names = ("label", "note", "delta", "lower", "upper", "margin", "verdict", "verdict_label")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _versions() -> list[dict[str, Any]]:
    rows = [
        ("v0.1", 50.5, 45.6, 55.4),
        ("#2", 61.0, 56.2, 65.8),
        ("#4", 74.5, 70.2, 78.8),
        ("#5", 73.0, 68.6, 77.4),
        ("#9", 88.0, 84.8, 91.2),
        ("v1.0", 95.5, 92.7, 97.5),
    ]
    return [
        {"label": label, "score": score, "lower": low, "upper": high, "url": "#"}
        for label, score, low, high in rows
    ]


def _series() -> list[dict[str, Any]]:
    def loss(step: int) -> float:
        return round(0.6 + 2.1 * math.exp(-step / 60) + 0.06 * math.sin(step / 3), 4)

    held_out = [[step, round(loss(step) + 0.12, 4)] for step in range(0, 201, 40)]
    return [
        {"label": _("training loss"), "points": [[step, loss(step)] for step in range(0, 201, 5)]},
        {"label": _("held-out loss"), "points": held_out},
    ]


def _heat_rows() -> list[dict[str, Any]]:
    names = ("embed", "q", "k", "v", "o", "gate", "up", "down", "norm")

    def cell(row: int, layer: int) -> dict[str, Any] | None:
        if row in (0, 8):
            return None
        value = (0.2 + layer / 16) * (0.3 + ((row * 7 + layer * 5) % 11) / 11) / row
        text = f"{100 * value:.1f} %"
        title = f"layer {layer}, {names[row]}: {text}"
        return {"value": value, "title": title, "text": text, "url": "#"}

    return [
        {"label": name, "cells": [cell(row, layer) for layer in range(16)]}
        for row, name in enumerate(names)
    ]


def _flips() -> list[dict[str, Any]]:
    return [
        {
            "benchmark": "spam",
            "item_id": "7c1f",
            "expected": "spam",
            "prompt": "Congrats! 2 mobile 3G Videophones R yours. call 09063458130 now!",
            "base": {"answer": "ham", "is_correct": False, "margin": -3.12},
            "candidate": {"answer": "spam", "is_correct": True, "margin": 6.4},
        },
        {
            "benchmark": "BLiMP",
            "item_id": "19a0",
            "expected": "",
            "prompt": "These patients do respect themselves. / … themself.",
            "base": {"answer": "", "is_correct": True, "margin": 0.21},
            "candidate": {"answer": "", "is_correct": False, "margin": -0.07},
        },
    ]


def _scores() -> list[dict[str, Any]]:
    here, claimed = ("pass", _("here")), ("plain", _("self-reported"))
    rows = [
        ("spam", 0.955, 0.927, 0.975, here),
        ("BLiMP", 0.806, 0.775, 0.834, here),
        ("WinoBias", 0.531, 0.481, 0.58, claimed),
        ("songci", None, None, None, ("not-run", _("not run"))),
    ]
    return [
        {
            "label": label,
            "score": score,
            "lower": low,
            "upper": high,
            "source_value": source[0],
            "source_label": source[1],
        }
        for label, score, low, high, source in rows
    ]


def _files() -> list[dict[str, Any]]:
    now = timezone.now()
    rows = [
        (".weighbridge", True, False, None, "Guard BLiMP within 2 points", 96),
        ("README.md", False, False, 3_140, "Numbers of v1.0 from the gate", 2),
        ("adapter_model.safetensors", False, True, 9_800_000, "Teach short messages (#12)", 2),
        ("config.json", False, False, 861, "Import", 120),
        ("model.safetensors", False, True, 269_060_552, "Import", 120),
    ]
    names = ("name", "is_folder", "is_large", "size_bytes", "message", "changed_at")
    return [
        dict(zip(names, (*row[:5], now - timedelta(hours=row[5])), strict=True)) for row in rows
    ]


def _diff() -> FileDiff:
    lines = [
        HunkLine(" ", 3, 3, "method: lora"),
        HunkLine("-", 4, None, "r: 4"),
        HunkLine("+", None, 4, "r: 8"),
        HunkLine("+", None, 5, "lora_alpha: 16"),
        HunkLine(" ", 5, 6, "target_modules: [q_proj, v_proj]"),
    ]
    hunks = [Hunk("@@ -3,3 +3,4 @@", lines)]
    path = "recipes/short-messages.yaml"
    return FileDiff(path, path, "modified", None, None, hunks)
