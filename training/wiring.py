"""Fills the hub's registries and listens to its events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext as _

from hub import events
from hub.extensions import Change, Tab, registries
from hub.models import Kind, Repository, User
from hub.models.prepared import counted
from training.actions.blind import blind_requirements
from training.actions.evaluating import evaluate_proposed, name_merged
from training.actions.gates import weigh_proposed, weigh_queued
from training.actions.models import is_loadable
from training.actions.quick import measure_quickly, quick_labels
from training.actions.runs import taught_with
from training.actions.scores import merge_files
from training.actions.standing import requirements, verdict
from training.jobs.hiding import hide_by_rule
from training.jobs.threads import FOLDER, NOTABLE, THREADS
from training.models import Run
from training.tasks import ring_for_hidden
from training.web.audit_words import AUDIT_SENTENCES
from training.web.benchmarks_tab import benchmarks_tab
from training.web.blind import BLIND_TAB
from training.web.card_panel import CARD_PANEL
from training.web.compared_scores import SCORES_PANEL
from training.web.explore_scores import score_choices, scores
from training.web.leaderboards import leaderboards_of
from training.web.own import own_runs
from training.web.panels import PANELS
from training.web.quick import quick_look
from training.web.tabs import TABS


def connect() -> None:
    """Called once, when Django has loaded every app."""
    registries.requirements.extend([requirements, blind_requirements])
    registries.starters.append(weigh_queued)
    registries.verdicts.append(verdict)
    registries.merge_files.append(merge_files)
    registries.pull_request_tabs.extend([*TABS, BLIND_TAB])
    registries.repository_tabs.extend([try_tab, benchmarks_tab, runs_tab])
    registries.repository_tabs.append(leaderboards_tab)
    registries.repository_numbers["live_runs"] = live_runs
    registries.repository_panels.extend([*PANELS, CARD_PANEL])
    registries.comparison_panels.append(SCORES_PANEL)
    registries.quick_labels = quick_labels
    registries.measure_quickly = measure_quickly
    registries.quick_look = quick_look
    registries.own_runs = own_runs
    registries.notable |= NOTABLE
    registries.audit_sentences |= AUDIT_SENTENCES
    registries.threads[FOLDER] = THREADS
    registries.taught_with.append(taught_with)
    registries.score_choices = score_choices
    registries.scores = scores
    events.revision_pushed.connect(hide_ruled, dispatch_uid="training.hide_ruled")
    events.change_merged.connect(name_merge, dispatch_uid="training.name_merge")
    events.change_proposed.connect(weigh, dispatch_uid="training.weigh")


def try_tab(repository: Repository) -> Iterable[Tab]:
    """Where a model can be asked something, by those who may read its files."""
    if not settings.TRY_IT or repository.kind != Kind.MODEL:
        return
    if repository.may_read_files and is_loadable(repository):
        yield Tab("try", _("Try it"), f"{repository.get_absolute_url()}/try")


def runs_tab(repository: Repository) -> Iterable[Tab]:
    """The runs of a repository, with how many are live."""
    url = f"{repository.get_absolute_url()}/runs"
    yield Tab("runs", _("Runs"), url, repository.number_of("live_runs") or None)


def live_runs() -> Subquery:
    """How many wait or run."""
    return Subquery(counted(Run.objects.filter(repository=OuterRef("pk")).live()))


def leaderboards_tab(repository: Repository) -> Iterable[Tab]:
    """The boards of a data set, where some of its benchmarks have been measured."""
    if count := leaderboards_of(repository):
        yield Tab(
            "leaderboards",
            _("Leaderboards"),
            f"{repository.get_absolute_url()}/leaderboards",
            count,
        )


def hide_ruled(
    sender: Any, repository: Repository, ref: str, new: str, actor: User | None, **_more: Any
) -> None:
    """A branch of a model has moved: what its rule hides is hidden from now on, as far as who
    moved it may say."""
    if repository.kind == Kind.MODEL and ref.startswith("refs/heads/") and new:
        hide_by_rule(repository, new, by=actor)
        ring_for_hidden()


def name_merge(
    sender: Any, repository: Repository, change: Change, merge_oid: str, **_more: Any
) -> None:
    """A merge that was measured before it was made goes by its commit from now on."""
    name_merged(repository, change, merge_oid)


def weigh(sender: Any, repository: Repository, change: Change, actor: Any, **_more: Any) -> None:
    """A proposal has a new head: weigh it, where that may happen without anyone's leave."""
    weigh_proposed(repository, change, actor)
    evaluate_proposed(repository, change, actor)
