"""Forms of discussions."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class CommentForm(forms.Form):
    comment = forms.CharField(
        label=_("Text"),
        max_length=65536,
        widget=forms.Textarea(attrs={"rows": 10, "data-mentions": _("People")}),
        help_text=_("Markdown is rendered."),
    )


class DiscussionForm(forms.Form):
    title = forms.CharField(label=_("Title"), max_length=256)
    description = forms.CharField(
        label=_("Text"),
        required=False,
        max_length=65536,
        widget=forms.Textarea(attrs={"rows": 10}),
        help_text=_("Markdown is rendered."),
    )
