"""A search over a large table goes on by itself, can be stopped, and reads as a link without it."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from hub.actions import table_pages
from hub.models import Access
from tests.factories import commit_files, make_member, make_organization
from tests.hub.test_tables import add_large, dataset, page, parquet, rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def team():
    return make_organization()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step ends after its first batch."""
    monkeypatch.setattr(table_pages, "SEARCH_SECONDS", 0.0)


def table(needles: set[int], count: int = 9_000) -> bytes:
    texts = [f"needle {at}" if at in needles else f"straw {at}" for at in range(count)]
    return parquet({"id": list(range(count)), "text": texts})


@pytest.fixture
def stack(team: Any, api_for: Any) -> Any:
    """A table of 9,000 rows; steps read 2,000 each."""

    def of(needles: set[int]) -> Any:
        repository = dataset(team, {})
        owner = make_member(team, access=Access.ADMIN)
        add_large(api_for(owner), repository, "train.parquet", table(needles))
        return repository

    return of


def next_step(text: str) -> str:
    """Where the foot asks by itself; "" where the search is at its end."""
    foot = text[text.index('id="table-foot"') :]
    found = re.match(r'id="table-foot" hx-get="([^"]+)"', foot)
    return html.unescape(found[1]) if found else ""


def steps(client: Any, text: str) -> list[str]:
    found = []
    while url := next_step(text):
        response = client.get(url)
        assert response.status_code == 200
        text = response.content.decode()
        found.append(text)
        assert len(found) < 20
    return found


@pytest.mark.usefixtures("hurried")
class TestGoingOn:
    def test_it_goes_on_to_the_end_and_gathers_what_it_finds(self, stack, client_for):
        repository, client = stack({2_500, 2_600, 7_000}), client_for()
        text = page(client, repository, q="needle")
        assert "Nothing found so far" in text and "looked at 2,000 of 9,000 rows" in text
        assert re.search(r'search-on" rel="next" href="[^"]*from=2000"', text)
        told = steps(client, text)
        assert 'id="table-found" hx-swap-oob="true"' in told[0]
        assert all(f"needle {at}" in told[0] for at in (2_500, 2_600))
        assert "2 rows · looked at 4,000 of 9,000 rows" in told[0]
        (more,) = [each for each in told if "needle 7000" in each]
        assert 'hx-swap-oob="beforeend:#table-lines"' in more and "<thead>" not in more
        assert "3 rows found in rows 0 to 8,999" in told[-1]
        assert "search-on" not in told[-1] and "Next" not in told[-1]

    def test_where_nothing_is_there_the_end_says_so(self, stack, client_for):
        client = client_for()
        told = steps(client, page(client, stack(set()), q="needle"))
        assert "No rows here" in told[-1] and "0 rows found in rows 0 to 8,999" in told[-1]
        assert not any("table-found" in each for each in told[:-1])

    def test_a_page_that_is_full_ends_it(self, stack, client_for):
        repository, client = stack(set(range(1_990, 9_000))), client_for()
        text = page(client, repository, q="needle")
        assert "10 rows · looked at" in text
        (last,) = steps(client, text)
        assert "25 rows found in rows 0 to 2,014" in last and "from=2015" in last
        assert last.count('<th scope="row"') == 15

    def test_it_can_be_taken_up_where_it_was_stopped(self, stack, client_for):
        repository, client = stack({8_000}), client_for()
        text = page(client, repository, q="needle")
        assert "data-stop-search" in text
        address = html.unescape(re.search(r'search-on" rel="next" href="([^"]+)"', text)[1])
        text = client.get(address).content.decode()
        assert "looked at 4,000" in text
        assert "needle 8000" in "".join(steps(client, text))

    def test_steps_of_one_search_read_one_commit(self, stack, client_for):
        repository, client = stack({8_000}), client_for()
        text = page(client, repository, q="needle")
        commit_files(repository, {"train.parquet": parquet({"other": [1]})})
        assert "needle 8000" in "".join(steps(client, text))

    def test_a_file_of_any_repository_is_searched_likewise(self, stack, client_for):
        repository, client = stack({8_000}), client_for()
        blob = f"/{repository.path}/blob/main/train.parquet"
        text = client.get(f"{blob}?q=needle").content.decode()
        told = "".join(steps(client, text))
        assert "needle 8000" in told and f'href="{blob}?row=8000"' in told


def test_rows_of_other_columns_begin_another_page(team, client_for):
    repository = dataset(team, {"train.jsonl": b'{"a": "needle", "b": "more"}\n' * 3})
    query = {"q": "needle", "from": 1, "begin": 0, "found": 1, "cols": "0" * 16}
    step = client_for().get(f"/{repository.path}/viewer/search", query).content.decode()
    assert "needle" not in step.replace("q=needle", "") and not next_step(step)
    assert "Search on" in step and "from=1" in step


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"c": "id", "o": "ge", "v": "abc"}, "“abc” is no number, and “id” holds numbers."),
        ({"c": "nope", "o": "eq", "v": "1"}, "There is no column “nope”."),
    ],
)
def test_what_no_row_can_answer_is_refused_in_words(stack, client_for, api_for, asked, words):
    repository = stack(set())
    assert words in html.unescape(page(client_for(), repository, **asked))
    query = {"column": asked["c"], "operator": asked["o"], "value": asked["v"]}
    response = api_for().get(f"/{repository.api_path}/rows", query)
    assert response.status_code == 400 and words in response.json()["error"]
    assert rows(api_for(), repository, column="id", operator="eq", value="7")["rows"]
