"""Collections as huggingface_hub and `hf` use them, against a running hub."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from tests.hub.machines import hf
from tests.server import HubServer

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def api(hub_server: HubServer) -> HfApi:
    api = HfApi(endpoint=hub_server.url, token=hub_server.person("collector"))
    api.create_repo("collector/tiny")
    api.create_repo("collector/rows", repo_type="dataset")
    return api


def test_the_client_keeps_a_collection(api: HfApi):
    made = api.create_collection("Small models", description="They fit.")
    assert api.create_collection("Small models", exists_ok=True).slug == made.slug
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_collection("Small models")
    api.add_collection_item(made.slug, "collector/tiny", "model", note="First")
    filled = api.add_collection_item(made.slug, "collector/rows", "dataset")
    assert [(one.item_id, one.item_type, one.note) for one in filled.items] == [
        ("collector/tiny", "model", "First"),
        ("collector/rows", "dataset", None),
    ]
    again = api.add_collection_item(made.slug, "collector/rows", "dataset", exists_ok=True)
    assert len(again.items) == 2
    for name, kind, status in (("collector/rows", "dataset", "409"), ("no/such", "model", "404")):
        with pytest.raises(HfHubHTTPError, match=status):
            api.add_collection_item(made.slug, name, kind)  # type: ignore[arg-type]
    last = filled.items[1].item_object_id
    api.update_collection_item(made.slug, last, note="Rows", position=0)
    assert [one.note for one in api.get_collection(made.slug).items] == ["Rows", "First"]
    changed = api.update_collection_metadata(
        made.slug, title="Smaller models", theme="green", private=True, position=0
    )
    assert (changed.theme, changed.private, changed.position) == ("green", True, 0)
    assert changed.slug != made.slug and api.get_collection(made.slug).slug == changed.slug
    api.delete_collection_item(made.slug, last)
    api.delete_collection_item(made.slug, last, missing_ok=True)
    outer = api.create_collection("Outer")
    nested = api.add_collection_item(outer.slug, changed.slug, "collection")
    assert nested.items[0].item_id == changed.slug
    listed = list(api.list_collections(owner="collector", sort="lastModified", limit=5))
    assert [one.slug for one in listed] == [outer.slug, changed.slug]
    assert [one.position for one in listed] == [0, 1]
    assert [one.slug for one in api.list_collections(item="models/collector/tiny")] == [
        changed.slug
    ]
    anyone = HfApi(endpoint=api.endpoint, token=False)
    assert [one.slug for one in anyone.list_collections(owner=["collector"])] == [outer.slug]
    assert anyone.get_collection(outer.slug).items == []
    api.delete_collection(made.slug)
    api.delete_collection(made.slug, missing_ok=True)
    with pytest.raises(HfHubHTTPError, match="404"):
        api.delete_collection(made.slug)


def test_lists_of_more_than_a_page_are_read_to_their_end(api: HfApi):
    for number in range(3):
        api.create_collection(f"Page {number}")
    session_pages = list(api.list_collections(owner="collector", limit=2))
    assert len(session_pages) == 2
    assert len(list(api.list_collections(owner="collector"))) >= 3


def test_the_command_line_keeps_a_collection(api: HfApi, tmp_path: Path):
    run = partial(hf, api.endpoint, str(api.token), tmp_path, "collections")

    said = run("create", "By hand")
    slug = next(word for word in said.replace("=", " ").split() if word.startswith("collector/"))
    run("add-item", slug, "collector/tiny", "model", "--note", "Good")
    run("update", slug, "--title", "By hand again", "--theme", "pink")
    assert "collector/tiny" in run("info", slug)
    run("delete", slug)
    run("delete", slug, "--missing-ok")
