"""The story of design section 1, step by step."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, ModelCard
from huggingface_hub.errors import HfHubHTTPError

from demo.browser import Browser, notice
from demo.console import Console, StepFailedError, check
from demo.files import EXAMPLES, base_model, hf, loads_with_transformers, sha256_of
from demo.server import Person, Server

DATASETS = ("sms_spam", "blimp", "winobias")
RUN_LIMIT_SECONDS = 900
TITLES = {
    "good": "Teach the spam filter short messages",
    "too-hot": "Teach it faster, with a higher learning rate",
}


class Story:
    """Plays every step and stops at the first that does not hold."""

    def __init__(self, server: Server, console: Console) -> None:
        self.server, self.console = server, console
        self.scratch = Path(tempfile.mkdtemp(prefix="weighbridge-demo-"))

    def play(self) -> None:
        """All of it. Raises: StepFailedError."""
        try:
            self.sign_up()
            self.upload()
            self.download()
            self.protect()
            self.contribute()
            self.finetune()
            self.weigh()
            self.merge()
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)

    # 1 ---------------------------------------------------------------------------------------

    def sign_up(self) -> None:
        """Accounts with generated passwords, and the organisation they share."""
        with self.console.step("Accounts: an owner, a reviewer, and a contributor without rights"):
            self.owner = self.server.person("owner", "Olga Owner")
            self.reviewer = self.server.person("reviewer", "Rui Reviewer")
            self.contributor = self.server.person("contributor", "Chen Contributor")
            self.server.manage(
                "ensure_org", "demo", "--full-name", "Demo lab",
                "--member", "owner:admin", "--member", "reviewer:write",
            )  # fmt: skip
            self.api = self._api(self.owner)
            self.repo_id = self._free_name("demo/spam-guard")
            self.url = f"/{self.repo_id}"

    def _api(self, person: Person) -> HfApi:
        return HfApi(endpoint=self.server.url, token=person.token)

    def _free_name(self, wanted: str) -> str:
        """A second demo on the same data plays in a repository of its own."""
        name, number = wanted, 1
        while self.api.repo_exists(name):
            number += 1
            name = f"{wanted}-{number}"
        return name

    def upload(self) -> None:
        """The base model by Xet and again by LFS; the data sets."""
        with self.console.step("The base model: SmolLM2-135M-Instruct"):
            self.model = base_model(self.console)
            self.sha256 = sha256_of(self.model / "model.safetensors")
            size = (self.model / "model.safetensors").stat().st_size
            self.console.say(f"model.safetensors: {size / 1e6:.0f} MB, sha256 {self.sha256[:16]}…")
        with self.console.step("Upload it with the unmodified client: by Xet, and again by LFS"):
            folder = self.scratch / "spam-guard"
            shutil.copytree(self.model, folder)
            shutil.copytree(EXAMPLES / "spam-guard", folder, dirs_exist_ok=True)
            self.api.create_repo(self.repo_id)
            self._hf("upload", self.repo_id, str(folder), ".", who=self.owner)
            self.console.say(f"by Xet: {self.server.url}{self.url}")
            by_lfs = self._free_name("demo/smollm2-by-lfs")
            self.api.create_repo(by_lfs)
            self._hf("upload", by_lfs, str(self.model), ".", who=self.owner, xet=False)
            self.console.say(f"by LFS: {self.server.url}/{by_lfs}")
        with self.console.step("Data sets, each with its benchmark"):
            for name in DATASETS:
                self._hf(
                    "upload", f"demo/{name}", str(EXAMPLES / "datasets" / name), ".",
                    "--repo-type", "dataset", who=self.owner,
                )  # fmt: skip
                self.console.say(f"{self.server.url}/datasets/demo/{name}")

    def _hf(self, *arguments: str, who: Person, xet: bool = True) -> str:
        cache = self.scratch / f"home-{who.name}"
        return hf(*arguments, url=self.server.url, token=who.token, cache=cache, xet=xet)

    # 2 ---------------------------------------------------------------------------------------

    def download(self) -> None:
        """The same bytes come back, and transformers loads them."""
        with self.console.step("Download into a clean cache: the same sha256, and it loads"):
            target = self.scratch / "downloaded"
            self._hf("download", self.repo_id, "--local-dir", str(target), who=self.contributor)
            got = sha256_of(target / "model.safetensors")
            check(got == self.sha256, f"the downloaded file has another sha256: {got}")
            said = loads_with_transformers(
                self.repo_id,
                url=self.server.url,
                token=self.contributor.token,
                cache=self.scratch / "home-transformers",
            )
            self.console.say(f"from_pretrained says: “{said}”")

    # 3 ---------------------------------------------------------------------------------------

    def protect(self) -> None:
        """From now on main moves only by merging, for everyone."""
        with self.console.step("Protect main: one approval and the gate"):
            self.owner_page = Browser(self.server.url, self.owner)
            self.reviewer_page = Browser(self.server.url, self.reviewer)
            page = f"{self.url}/settings"
            form = {
                "form": "protect",
                "branch": "main",
                "required_approvals": 1,
                "require_gate": "on",
            }
            said = notice(self.owner_page.send(page, form, page=page).text)
            check("main" in said, f"main is not protected: {said}")
            self.console.say(said)
            try:
                self.api.upload_file(
                    path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=self.repo_id
                )
            except HfHubHTTPError as refused:
                self.console.say(f"a direct commit is refused: {_sentence(refused)}")
            else:
                raise StepFailedError("a direct commit to the protected main was accepted")

    def contribute(self) -> None:
        """A pull request by somebody who cannot write."""
        with self.console.step("The contributor proposes a change with create_pr=True"):
            card = (self.scratch / "spam-guard" / "README.md").read_text()
            said = "without forgetting its English.\n"
            check(said in card, "the card of the example does not say what it is for")
            card = card.replace(said, f"{said}\nQuestions? Open a discussion on this page.\n", 1)
            opened = self._api(self.contributor).upload_file(
                path_or_fileobj=card.encode(),
                path_in_repo="README.md",
                repo_id=self.repo_id,
                create_pr=True,
                commit_message="Say where to ask",
            )
            self.first = opened.pr_num
            self.console.say(f"{opened.pr_url}")

    def finetune(self) -> None:
        """Two recipes by the form; their runs share one worker."""
        with self.console.step("The owner starts two fine-tunes with the form on the model's page"):
            self.runs = {}
            for recipe in ("good", "too-hot"):
                page = f"{self.url}/finetune"
                form = {
                    "mode": "recipe",
                    "recipe_path": f"recipes/{recipe}.yaml",
                    "title": TITLES[recipe],
                }
                answer = self.owner_page.send(page, form, page=page)
                found = re.search(r"/runs/(\d+)", answer.url)
                check(found, f"the form was not accepted: {notice(answer.text)}")
                self.runs[recipe] = int(found.group(1)) if found else 0
                self.console.say(f"{recipe}: {answer.url}")
        self.pulls: dict[str, int] = {}
        for recipe, number in self.runs.items():
            with self.console.step(f"Fine-tune “{recipe}” in the sandbox (live loss)"):
                run = self._wait_for_run(number)
                self.pulls[recipe] = run["pullRequest"]
                self.console.say(f"pull request: {self.server.url}{self.pull_path(recipe)}")

    def pull_path(self, recipe: str) -> str:
        return f"{self.url}/discussions/{self.pulls[recipe]}"

    def _wait_for_run(self, number: int) -> dict[str, Any]:
        """Show a run's loss until it has ended. Raises: StepFailedError when it failed."""
        path = f"/api/models/{self.repo_id}/runs/{number}"
        deadline, shown = time.monotonic() + RUN_LIMIT_SECONDS, ""
        while time.monotonic() < deadline:
            run: dict[str, Any] = self.owner_page.json(path)
            losses = self._losses(path)
            word = f"{run['status']}"
            if losses:
                step, loss = losses[-1]
                word += f", step {step}, loss {loss:.3f}"
            if run["status"] == "succeeded":
                self.console.say(word)
                return run
            if word != shown:
                self.console.progress(word)
                shown = word
            check(run["status"] in {"queued", "running"}, f"run {number}: {run.get('error')}")
            time.sleep(1)
        raise StepFailedError(f"run {number} did not end in {RUN_LIMIT_SECONDS} s")

    def _losses(self, path: str) -> list[Any]:
        series = self.owner_page.json(f"{path}/metrics")["series"]
        found = [curve["points"] for curve in series if curve["name"] == "loss"]
        return found[0] if found else []

    # 4 ---------------------------------------------------------------------------------------

    def weigh(self) -> None:
        """The gate passes the good one and refuses the other."""
        self.verdicts = {}
        for recipe, wanted in (("good", "pass"), ("too-hot", "fail")):
            with self.console.step(f"The gate weighs “{recipe}” against main, item by item"):
                gate = self._wait_for_gate(self.pulls[recipe])
                check(gate["verdict"] == wanted, f"the gate says {gate['verdict']}: {gate}")
                self.verdicts[recipe] = gate
                self.console.say(gate["sentence"])
                for row in gate["results"]:
                    self.console.say(_line(row))
                for example in gate["flipped"][:2]:
                    self.console.say(_example(example))

    def _wait_for_gate(self, number: int) -> dict[str, Any]:
        path = f"/api/models/{self.repo_id}/discussions/{number}/gate"
        deadline, shown = time.monotonic() + RUN_LIMIT_SECONDS, ""
        while time.monotonic() < deadline:
            gate: dict[str, Any] = self.owner_page.json(path)
            if gate["verdict"] in {"pass", "fail", "blocked", "error"}:
                return gate
            word = f"{gate['verdict']} {gate.get('progress') or ''}"
            if word != shown:
                self.console.progress(word)
                shown = word
            time.sleep(1)
        raise StepFailedError(f"the gate did not answer in {RUN_LIMIT_SECONDS} s")

    # 5 ---------------------------------------------------------------------------------------

    def merge(self) -> None:
        """Approve and merge the good one; the other cannot be merged."""
        with self.console.step("The refused one cannot be merged, whoever tries"):
            said = self._decide("too-hot")
            check("Not yet" in said, f"the refused proposal was merged: {said}")
            self.console.say(said)
        with self.console.step("The reviewer approves the good one, the owner merges it"):
            before = self.api.model_info(self.repo_id).sha
            said = self._decide("good")
            check("Merged" in said, f"not merged: {said}")
            self.console.say(said)
        with self.console.step("What stands now"):
            self._look(before or "")

    def _decide(self, recipe: str) -> str:
        """Approve as the reviewer and press Merge as the owner; what the page says."""
        page = self.pull_path(recipe)
        change = self.owner_page.json(f"/api/models{page}/requirements")
        form = {"head": change["head"], "verdict": "approve", "body": "Looked at the examples."}
        self.reviewer_page.send(f"{page}/review", form, page=page)
        form = {"head": change["head"], "base": change["base"]}
        return notice(self.owner_page.send(f"{page}/merge", form, page=page).text)

    def _look(self, before: str) -> None:
        number = self.pulls["good"]
        commits = self.api.list_repo_commits(self.repo_id)
        refs = self.api.list_repo_refs(self.repo_id, include_pull_requests=True)
        kept = [ref.ref for ref in refs.pull_requests or []]
        check(commits[0].commit_id != before, "main did not move")
        check(f"refs/pr/{number}" in kept, f"refs/pr/{number} is gone")
        details = self.api.get_discussion_details(self.repo_id, number)
        check(details.status == "merged", f"the pull request is {details.status}")
        card = self._card()
        scores = {r.dataset_name: r.metric_value for r in card.data.eval_results or []}
        check(scores, "the card has no measured scores")
        files = self.api.list_repo_files(self.repo_id)
        check("adapter_model.safetensors" in files, "main has no adapter")
        self.console.say(f"main: {commits[0].title} ({commits[0].commit_id[:8]})")
        self.console.say(f"kept: {', '.join(sorted(kept))}")
        for name, value in scores.items():
            self.console.say(f"model-index: {name} {value}")

    def _card(self) -> ModelCard:
        path = self.api.hf_hub_download(
            self.repo_id, "README.md", cache_dir=str(self.scratch / "card")
        )
        return ModelCard(Path(path).read_text())


def _sentence(error: HfHubHTTPError) -> str:
    """The server's own sentence in a client's error."""
    return (error.server_message or str(error)).strip().splitlines()[-1]


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['benchmark']:<10} {row['base_score']:.3f} → {row['candidate_score']:.3f}  "
        f"change {row['delta']:+.3f} [{row['lower']:+.3f}, {row['upper']:+.3f}]  "
        f"allowed −{row['margin']:g}  {row['verdict']}, {row['label']}"
    )


def _example(example: dict[str, Any]) -> str:
    base, candidate = example["base"], example["candidate"]
    text = " ".join(str(example["prompt"]).split())[:80]
    return f"flipped: “{text}” {base['answer']} → {candidate['answer']}"
