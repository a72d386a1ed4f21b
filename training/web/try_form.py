"""The form of a question to a model: what it asks for follows from what the model can do."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from training.actions.trying import PROMPT_CHARACTERS, STOP_CHARACTERS, TEXTS_LIMIT
from training.models import TryTask

GENERATION_ONLY = ("max_new_tokens", "temperature", "top_p", "seed", "stop", "chat")
_PROMPTS = {
    TryTask.GENERATION: (_("Prompt"), _("The model goes on from here.")),
    TryTask.FILL_MASK: (_("Text"), _("Write [MASK] where a word is missing.")),
    TryTask.CLASSIFICATION: (_("Text"), _("The model says which of its labels fit.")),
    TryTask.EMBEDDING: (_("Sentences"), _("One a line, 2 to 8: how alike are they?")),
}


class TryForm(forms.Form):
    """One question. `values` is what `submit_try` takes."""

    prompt = forms.CharField(
        max_length=PROMPT_CHARACTERS,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}),
    )
    chat = forms.BooleanField(
        label=_("As a message"),
        required=False,
        help_text=_("Put into the model's chat template, as a person's turn."),
    )
    max_new_tokens = forms.IntegerField(label=_("New tokens, at most"), min_value=1)
    temperature = forms.FloatField(
        label=_("Temperature"),
        min_value=0,
        max_value=5,
        help_text=_("0: always the likeliest token."),
        widget=forms.NumberInput(attrs={"step": "0.1"}),
    )
    top_p = forms.FloatField(
        label="Top-p",
        min_value=0.01,
        max_value=1,
        help_text=_("Only the likeliest tokens that make up this share."),
        widget=forms.NumberInput(attrs={"step": "0.01"}),
    )
    seed = forms.IntegerField(label=_("Seed"), min_value=0, max_value=2**31 - 1)
    stop = forms.CharField(
        label=_("Stop at"),
        required=False,
        max_length=STOP_CHARACTERS,
        help_text=_("The answer ends before this text."),
    )

    def __init__(self, task: TryTask, *args: Any, has_chat: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.task = task
        prompt = self.fields["prompt"]
        prompt.label, prompt.help_text = _PROMPTS[task]
        if task != TryTask.GENERATION:
            for name in GENERATION_ONLY:
                del self.fields[name]
            return
        most = self.fields["max_new_tokens"]
        most.max_value = settings.TRY_TOKENS_LIMIT  # type: ignore[attr-defined]
        most.widget.attrs["max"] = settings.TRY_TOKENS_LIMIT
        if not has_chat:
            del self.fields["chat"]

    @staticmethod
    def first_values(request: dict[str, Any] | None, *, has_chat: bool) -> dict[str, Any]:
        """What the fields hold at first: an earlier question, or something sensible."""
        if not request:
            return {
                "max_new_tokens": 64, "temperature": 0.7, "top_p": 0.95, "seed": 0,
                "chat": has_chat,
            }  # fmt: skip
        texts = request.get("texts")
        values = dict(request, stop=next(iter(request.get("stop") or []), ""))
        return values | ({"prompt": "\n".join(texts)} if texts else {})

    def values(self) -> dict[str, Any]:
        """The question as `submit_try` takes it."""
        found = dict(self.cleaned_data)
        if self.task == TryTask.EMBEDDING:
            lines = found["prompt"].splitlines()
            return {"texts": [line for line in lines if line.strip()][: TEXTS_LIMIT + 1]}
        if stop := found.pop("stop", ""):
            found["stop"] = [stop]
        return found
