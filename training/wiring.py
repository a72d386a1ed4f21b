"""Fills the hub's registries and listens to its events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _

from hub import events
from hub.extensions import Change, Tab, registries
from hub.models import Repository
from training.actions.evaluating import evaluate_proposed
from training.actions.gates import weigh_proposed
from training.actions.scores import merge_files
from training.actions.standing import requirements, verdict
from training.models import Run
from training.web.panels import PANELS
from training.web.tabs import TABS


def connect() -> None:
    """Called once, when Django has loaded every app."""
    registries.requirements.append(requirements)
    registries.verdicts.append(verdict)
    registries.merge_files.append(merge_files)
    registries.pull_request_tabs.extend(TABS)
    registries.repository_tabs.append(runs_tab)
    registries.repository_panels.extend(PANELS)
    events.change_proposed.connect(weigh, dispatch_uid="training.weigh")


def runs_tab(repository: Repository) -> Iterable[Tab]:
    """The runs of a repository, with how many are live."""
    live = Run.objects.filter(repository=repository.pk).live().count()
    yield Tab("runs", _("Runs"), f"{repository.get_absolute_url()}/runs", live or None)


def weigh(sender: Any, repository: Repository, change: Change, actor: Any, **_more: Any) -> None:
    """A proposal has a new head: weigh it, where that may happen without anyone's leave."""
    weigh_proposed(repository, change, actor)
    evaluate_proposed(repository, change, actor)
