"""The gate editor: the rule of a branch as a form and as text, with the power calculator."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from hub.actions.commits import Committed
from hub.errors import BadInputError, HubError, UnauthenticatedError
from hub.http.authentication import actor_of
from hub.http.pages import frame, repository_page
from hub.models import Access, Repository
from hub.policies import Actor
from training.actions.gate_editor import (
    PROMPTS,
    Rule,
    RuleChangedError,
    branches_of,
    offered_benchmarks,
    read_rule,
    save_rule,
)
from training.actions.gate_power import RulePower, power_of
from training.actions.pinning import pin_benchmark
from training.jobs.benchmarks import PinnedBenchmark
from training.specs.gate import PROTECTED_ALPHA, GateConfig, parse_gate, parse_reference
from training.specs.gate_text import head_comment, lost_comments, write_gate
from training.web.gate_form import GateForms, Offered, bound_forms, forms_of
from training.web.gate_shown import shown, summary


@dataclass
class Draft:
    """The rule as it is being edited; `config` is None while the fields do not say one.

    `theirs` is what somebody else has saved meanwhile.
    """

    data: QueryDict | None
    config: GateConfig | None
    text: str
    problem: str = ""
    hint: str = ""
    theirs: str | None = None
    without: str = ""
    is_saved: bool = False


@require_http_methods(["GET", "HEAD", "POST"])
@repository_page(need=Access.WRITE)
def edit(request: HttpRequest, repository: Repository) -> HttpResponse:
    """Show the rule of a branch, work out what it can show, save it."""
    actor = actor_of(request)
    branch = request.POST.get("branch") or request.GET.get("branch") or repository.default_branch
    rule = read_rule(repository, branch)
    act = request.POST.get("do", "") if request.method == "POST" else ""
    draft = _draft(request, repository, rule, actor, act)
    if act in ("save", "save-text") and not draft.problem:
        try:
            made = _save(request, repository, actor, draft)
        except UnauthenticatedError:
            raise
        except RuleChangedError as error:
            draft.problem, rule = str(error), error.rule
            draft.theirs = rule.text or ""
        except HubError as error:
            draft.problem = str(error)
        else:
            return _done(request, repository, branch, made)
    context = frame(repository, "settings") | _context(repository, actor, rule, draft)
    status = 422 if draft.problem and act.startswith("save") else 200
    return render(request, "training/gate_editor.html", context, status=status)


def _draft(
    request: HttpRequest, repository: Repository, rule: Rule, actor: Actor, act: str
) -> Draft:
    """What is edited: the rule of the branch, the fields, or the text, by what was asked for."""
    if not act:
        return Draft(None, rule.config, rule.text or "", rule.problem, is_saved=True)
    if act in ("read", "save-text"):
        return _from_text(request.POST.get("text", ""))
    data = request.POST.copy()
    without = act.removeprefix("remove-") if act.startswith("remove-") else ""
    if act == "add":
        _add(data)
    draft = Draft(data, None, rule.text or "", without=without)
    try:
        draft.config = bound_forms(data, {}, without=without).config()
        if act.startswith("observe-"):
            _observe(repository, rule, actor, draft, act.removeprefix("observe-"))
    except BadInputError as error:
        draft.problem = str(error) if act == "save" else ""
        draft.hint = str(error)
        return draft
    draft.text = write_gate(draft.config, head=head_comment(rule.text or ""))
    return draft


def _from_text(text: str) -> Draft:
    text = text.replace("\r\n", "\n")
    try:
        return Draft(None, parse_gate(text), text)
    except BadInputError as error:
        return Draft(None, None, text, str(error))


def _add(data: QueryDict) -> None:
    """Put the benchmark that was chosen behind the others."""
    reference = data.get("new", "").strip()
    if not reference:
        return
    number = next(n for n in range(len(data) + 1) if f"b{n}-benchmark" not in data)
    data[f"b{number}-benchmark"] = reference
    data[f"b{number}-role"] = "guard"


def _observe(repository: Repository, rule: Rule, actor: Actor, draft: Draft, number: str) -> None:
    """Expect of a benchmark what an earlier verdict saw of it."""
    if draft.config is None or draft.data is None or not number.isdecimal():
        return
    power = power_of(repository, draft.config, actor, is_protected=rule.is_protected)
    rows = dict(enumerate(power.benchmarks))
    row = rows.get(int(number))
    seen = row.observed if row else None
    if seen is None:
        return
    draft.data[f"b{number}-discordance"] = str(seen.discordance or "")
    draft.data[f"b{number}-spread"] = str(seen.spread or "")
    draft.config = bound_forms(draft.data, {}).config()


def _save(request: HttpRequest, repository: Repository, actor: Actor, draft: Draft) -> Committed:
    given = request.POST
    return save_rule(
        repository,
        actor,
        branch=given.get("branch", ""),
        text=draft.text,
        expected_head=given.get("head", ""),
        title=given.get("title", "")[:200],
        propose=given.get("propose") == "on",
    )


def _done(
    request: HttpRequest, repository: Repository, branch: str, made: Committed
) -> HttpResponse:
    if made.proposal is not None:
        messages.success(request, _("The rule is proposed: it holds once this is merged."))
        return redirect(made.proposal.path)
    messages.success(
        request, _("The rule of %(branch)s is saved as %(oid)s.") % {
            "branch": branch, "oid": made.oid[:7],
        },
    )  # fmt: skip
    query = urlencode({"branch": branch})
    return redirect(f"{repository.get_absolute_url()}/settings/gate?{query}")


def _context(repository: Repository, actor: Actor, rule: Rule, draft: Draft) -> dict[str, Any]:
    power = None
    if draft.config is not None:
        power = power_of(repository, draft.config, actor, is_protected=rule.is_protected)
    forms = _forms(repository, actor, rule, draft, power)
    told = [shown(each, power) for each in power.benchmarks] if power else []
    told += [{}] * (len(forms.benchmarks) - len(told))
    offered = offered_benchmarks(repository, actor)
    return {
        "rule": rule,
        "branches": branches_of(repository),
        "forms": forms,
        "rows": list(zip(forms.benchmarks, told, strict=False)),
        "oob": ",".join(f"#power-{form.prefix}" for form in forms.benchmarks),
        "power": summary(power) if power else None,
        "rule_text": draft.text,
        "problem": draft.problem,
        "hint": draft.hint,
        "theirs": draft.theirs,
        "lost": lost_comments(rule.text or ""),
        "may_be_form": draft.config is not None or draft.data is not None or rule.text is None,
        "offered": offered,
        "prompts": [each for each in offered if each.file.output_type == PROMPTS],
        "changed": not draft.is_saved,
        "editor_url": f"{repository.get_absolute_url()}/settings/gate",
    }


def _forms(
    repository: Repository, actor: Actor, rule: Rule, draft: Draft, power: RulePower | None
) -> GateForms:
    """The fields, and what each benchmark has to offer."""
    offered = (
        {str(each.wanted.reference): _offer(each.pinned, each.items) for each in power.benchmarks}
        if power is not None
        else _offered(repository, actor, draft)
    )
    known = {reference: offer for reference, offer in offered.items() if offer is not None}
    if draft.data is None:
        forms = forms_of(draft.config, known)
    else:
        forms = bound_forms(draft.data, known, without=draft.without)
    if draft.hint:
        for form in forms.all:
            form.full_clean()
    if rule.is_protected:
        forms.rule.fields["alpha"].widget.attrs["placeholder"] = f"{PROTECTED_ALPHA:g}"
    return forms


def _offer(pinned: PinnedBenchmark | None, items: int | None) -> Offered | None:
    if pinned is None or not pinned.definition.metrics:
        return None
    metrics = [(metric.name, metric.label) for metric in pinned.definition.metrics]
    own = str(pinned.definition.default_margin(pinned.metric))
    return Offered(metrics, own, "" if items is None else str(items))


def _offered(repository: Repository, actor: Actor, draft: Draft) -> dict[str, Offered | None]:
    """What benchmarks offer whose fields do not make a rule yet."""
    found: dict[str, Offered | None] = {}
    sent = draft.data or QueryDict()
    for name in [key for key in sent if re.fullmatch(r"b[0-9]{1,2}-benchmark", key)]:
        try:
            reference = parse_reference(str(sent[name]))
            pinned, _inputs = pin_benchmark(reference, actor, named_by=repository)
        except HubError:
            continue
        found[str(reference)] = _offer(pinned, None)
    return found
