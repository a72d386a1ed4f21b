"""What a line of the audit trail says."""

from __future__ import annotations

from django import template

from hub.web.audit_said import sentence

register = template.Library()
register.filter("audit_sentence", sentence)
