"""How to use this server, with its own address in every command."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

COMMANDS = (
    ("hf", "export HF_ENDPOINT={url}\nhf auth login\nhf upload NAMESPACE/NAME ./folder ."),
    ("propose", "hf upload NAMESPACE/NAME ./folder . --create-pr"),
    (
        "python",
        "from transformers import AutoModelForCausalLM\n"
        'AutoModelForCausalLM.from_pretrained("NAMESPACE/NAME")',
    ),
    ("git", "git clone {url}/NAMESPACE/NAME\ngit push origin HEAD:refs/pr/1"),
)


def docs(request: HttpRequest) -> HttpResponse:
    """Commands to copy, and where the description of the API lies."""
    url = settings.PUBLIC_URL
    commands = [{"key": key, "text": text.replace("{url}", url)} for key, text in COMMANDS]
    return render(request, "hub/docs.html", {"commands": commands})
