"""The card that a new repository begins with, in the language of whoever makes it."""

from __future__ import annotations

import json
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hub.formats.card_writing import with_card_data
from hub.models import Kind, RepoId

LICENCE_WORDS = {
    "apache-2.0": gettext_lazy("Use, change and sell it; keep the notices; patents are granted."),
    "mit": gettext_lazy("Use, change and sell it; keep the notice."),
    "bsd-3-clause": gettext_lazy("As MIT; the names of its authors are no advertisement."),
    "mulanpsl-2.0": gettext_lazy("As Apache 2.0, written in Chinese and English."),
    "gpl-3.0": gettext_lazy("Use and change it; what is built on it and passed on is GPL too."),
    "agpl-3.0": gettext_lazy("As the GPL, also for services over a network."),
    "cc0-1.0": gettext_lazy("No rights reserved: for data that everybody may use."),
    "cc-by-4.0": gettext_lazy("Use it for anything; name its authors."),
    "cc-by-sa-4.0": gettext_lazy("Name its authors; what is made of it has the same licence."),
    "cc-by-nc-4.0": gettext_lazy("Name its authors; not for commercial use."),
    "openrail": gettext_lazy("Free use, with rules about what it must not be used for."),
    "other": gettext_lazy("A licence of your own: name it and link to it in the card."),
}  # fmt: skip


def new_card(repo: RepoId, chosen: dict[str, str]) -> bytes:
    """A README.md that says what was chosen; headings ask for the rest."""
    is_dataset = repo.kind == Kind.DATASET
    task = "task_categories" if is_dataset else "pipeline_tag"
    values: dict[str, Any] = {}
    if chosen.get("license"):
        values["license"] = chosen["license"]
    if languages := [
        part.strip() for part in chosen.get("language", "").split(",") if part.strip()
    ]:
        values["language"] = languages
    if chosen.get("task"):
        values[task] = [chosen["task"]] if is_dataset else chosen["task"]
    if chosen.get("library") and not is_dataset:
        values["library_name"] = chosen["library"]
    parts = _of_dataset(repo) if is_dataset else _of_model(repo, chosen)
    text = f"\n# {repo.name}\n" + "".join(f"\n## {title}\n\n{hint}\n" for title, hint in parts)
    return with_card_data(text.encode(), values)


def _note(text: str) -> str:
    """A hint that readers do not see."""
    return f"<!-- {text} -->"


def _name(repo: RepoId) -> str:
    """How code spells a repository."""
    return json.dumps(f"{repo.namespace}/{repo.name}")


def _of_model(repo: RepoId, chosen: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (_("What it is"), _note(_("What it does, for whom, and what it was made from."))),
        (_("How to use it"), _usage(repo, chosen)),
        (_("Training"), _note(_("Data, recipe, hardware, time."))),
        (_("Evaluation"), _note(_("What was measured, on which data, with which result."))),
        (_("Limits"), _note(_("Where it fails, and what it must not be used for."))),
    ]


def _of_dataset(repo: RepoId) -> list[tuple[str, str]]:
    code = f"from datasets import load_dataset\n\nrows = load_dataset({_name(repo)})"
    return [
        (_("What is in it"), _note(_("Rows, columns, splits, languages."))),
        (_("How to use it"), f"```python\n{code}\n```"),
        (
            _("Where it comes from"),
            _note(_("Sources, how it was collected, cleaned and labelled.")),
        ),
        (_("People in it"), _note(_("Whose data this is, whether they agreed, what was removed."))),
        (_("Limits"), _note(_("What is missing or one-sided, and what it must not be used for."))),
    ]


def _usage(repo: RepoId, chosen: dict[str, str]) -> str:
    name = _name(repo)
    if chosen.get("library") == "transformers" and chosen.get("task"):
        task = json.dumps(chosen["task"])
        code = f"from transformers import pipeline\n\npipe = pipeline({task}, model={name})"
    else:
        code = (
            f"from huggingface_hub import snapshot_download\n\nfolder = snapshot_download({name})"
        )
    return f"```python\n{code}\n```"
