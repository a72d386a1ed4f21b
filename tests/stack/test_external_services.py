"""The same hub on servers that others run, and without a proxy in front."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator

import psycopg
import pytest
import requests
from huggingface_hub import HfApi

from demo.files import hf, sha256_of
from hub.supervisor import throwaway_cluster
from tests.server import HubServer, running_hub
from tools.little_hub import TINY, LittleStory

OWN = {"web", "worker-cpu", "worker-gpu", "worker-tries", "worker-webhooks", "beat"}
WEIGHTS = "model.safetensors"


def process_names(hub: HubServer) -> set[str]:
    status = json.loads((hub.data_dir / "run" / "status.json").read_text())
    return {row["name"] for row in status}


@pytest.mark.timeout(600)
def test_a_run_goes_through_an_external_database_and_broker(tmp_path, database_url, broker):
    with running_hub(tmp_path / "data", DATABASE_URL=database_url, **broker) as hub:
        story = LittleStory(hub)
        try:
            story.begin()
            gate = story._wait_for_gate(story.first)
        finally:
            story.end()
        assert gate["verdict"] == "pass"
        # Pages answer before workers are there; now one has done its work.
        assert process_names(hub) == OWN | {"nginx"}
    assert not (tmp_path / "data" / "postgres").exists()
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT status, worker FROM training_run").fetchall()
    assert [status for status, _worker in found] == ["succeeded"]
    assert found[0][1]


@pytest.fixture(scope="module")
def bare_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """A hub that answers itself, on a Postgres of somebody else."""
    folder = tmp_path_factory.mktemp("bare")
    with (
        throwaway_cluster(folder / "elsewhere") as url,
        running_hub(folder / "data", DATABASE_URL=url, FRONT="none") as hub,
    ):
        yield hub


@pytest.mark.timeout(600)
@pytest.mark.parametrize("way", ["xet", "lfs"])
def test_without_a_front_files_go_up_and_down(tmp_path, bare_hub, way):
    assert "nginx" not in process_names(bare_hub)
    name = f"by-{way}/tiny"
    token = bare_hub.person(f"by-{way}")
    HfApi(bare_hub.url, token=token).create_repo(name)
    model = shutil.copytree(TINY, tmp_path / "up")
    with (model / WEIGHTS).open("r+b") as weights:
        weights.seek(-8, os.SEEK_END)
        weights.write(os.urandom(8))  # what the hub has already would not be sent
    access = {"url": bare_hub.url, "token": token, "cache": tmp_path / "home", "xet": way == "xet"}
    hf("upload", name, str(model), ".", **access)
    hf("download", name, "--local-dir", str(tmp_path / "down"), **access)
    assert sha256_of(tmp_path / "down" / WEIGHTS) == sha256_of(model / WEIGHTS)
    address = f"{bare_hub.url}/{name}/resolve/main/{WEIGHTS}"
    assert read_range(address, token, 100, 199) == (model / WEIGHTS).read_bytes()[100:200]
    assert b"@layer" in style_sheet(bare_hub)


def read_range(address: str, token: str, first: int, last: int) -> bytes:
    answer = requests.get(
        address,
        headers={"Authorization": f"Bearer {token}", "Range": f"bytes={first}-{last}"},
        timeout=30,
    )
    assert answer.status_code == 206
    return answer.content


def style_sheet(hub: HubServer) -> bytes:
    """The first style sheet that the home page names: pages have their look without nginx too."""
    page = requests.get(f"{hub.url}/", timeout=30).text
    path = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    return requests.get(f"{hub.url}{path}", timeout=30).content
