"""Routes of the gate's rule and of the blind review."""

from __future__ import annotations

from django.urls import URLPattern

from hub.http.routing import api
from training.api.blind import BlindView
from training.api.gate_rule import GatePowerView, GateRuleView

RULES: list[URLPattern] = [
    api("/gate-rule", GateRuleView.as_view(), "api-gate-rule"),
    api("/gate-rule/power", GatePowerView.as_view(), "api-gate-power"),
    api("/discussions/<int:number>/blind", BlindView.as_view(), "api-blind"),
]
