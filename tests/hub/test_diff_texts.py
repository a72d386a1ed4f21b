"""Changes of text that is not UTF-8: in words, with the encoding named, wherever the file lies."""

from __future__ import annotations

import pytest

from hub.actions import file_texts
from hub.models import Access
from tests.factories import commit_files, make_member, make_repository
from tests.hub.test_tables import add_large
from tests.reviews.factories import make_pull_request

pytestmark = pytest.mark.django_db
OLD = "标签,文本\n一号,垃圾短信\n二号,普通短信\n"
NEW = OLD.replace("普通短信", "正常短信") + "三号,问候\n"
FRENCH = "# Le modèle\n\nIl est entraîné.\n"


def change(client, repository, oid):
    answer = client.get(f"/{repository.path}/commit/{oid}")
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize(
    ("codec", "named"), [("gb18030", "GB18030"), ("big5", "Big5"), ("utf-16", "UTF-16")]
)
def test_a_change_of_a_text_is_told_in_its_words(client, codec, named):
    old, new = OLD, NEW
    if codec == "big5":
        old = "標籤,文本\n一號,這是一則垃圾簡訊,請不要理會它的廣告內容\n"
        new = f"{old}二號,這是一則正常的簡訊,朋友們在晚上寄來的問候\n"
    repository = make_repository(files={"labels.csv": old.encode(codec)})
    html = change(client, repository, commit_files(repository, {"labels.csv": new.encode(codec)}))
    assert "正常" in html and "垃圾" in html and f">{named}</span>" in html
    assert "A binary file" not in html and "\ufffd" not in html


def test_a_new_and_a_removed_text_are_told_too(client):
    repository = make_repository()
    oid = commit_files(repository, {"french.md": FRENCH.encode("latin-1")})
    html = change(client, repository, oid)
    assert "entraîné" in html and ">Latin-1</span>" in html


def test_another_encoding_of_the_same_words_is_said(client):
    repository = make_repository(files={"a.txt": OLD.encode("gb18030")})
    html = change(client, repository, commit_files(repository, {"a.txt": OLD.encode()}))
    assert ">GB18030 → UTF-8</span>" in html
    assert "The same text, written in another encoding." in html
    html = change(client, repository, commit_files(repository, {"a.txt": NEW.encode("utf-16")}))
    assert ">UTF-8 → UTF-16</span>" in html and "正常短信" in html


def test_bytes_stay_bytes_and_utf_8_is_not_mentioned(client):
    repository = make_repository(files={"a.txt": OLD.encode(), "b.bin2": bytes(range(256))})
    new = {"a.txt": NEW.encode(), "b.bin2": bytes(range(255, -1, -1))}
    html = change(client, repository, commit_files(repository, new))
    assert "A binary file" in html and "正常短信" in html
    assert "The encoding of this text" not in html


def test_a_pull_request_tells_it_as_well(client):
    pull_request = make_pull_request(files={"a.txt": NEW.encode("gb18030")})
    html = client.get(f"{pull_request.get_absolute_url()}/files").content.decode()
    assert "正常短信" in html and ">GB18030</span>" in html


def test_a_small_text_beside_git_is_compared_and_nothing_that_is_not_held(
    client, api_for, monkeypatch
):
    repository = make_repository()
    owner = make_member(repository.namespace, access=Access.ADMIN)
    add_large(api_for(owner), repository, "a.txt", OLD.encode("utf-16"))
    add_large(api_for(owner), repository, "a.txt", NEW.encode("utf-16"))
    head = repository.store().resolve("main")
    html = change(client, repository, head)
    assert "普通短信" in html and "正常短信" in html and ">UTF-16</span>" in html
    repository.object_links.all().delete()
    html = change(client, repository, head)
    assert "正常短信" not in html and "A large file" in html


def test_only_so_many_files_beside_git_are_read(client, api_for, monkeypatch):
    monkeypatch.setattr(file_texts, "LARGE_FILES_READ", 1)
    repository = make_repository()
    owner = make_member(repository.namespace, access=Access.ADMIN)
    add_large(api_for(owner), repository, "a.txt", OLD.encode("utf-16"))
    add_large(api_for(owner), repository, "a.txt", NEW.encode("utf-16"))
    html = change(client, repository, repository.store().resolve("main"))
    assert "A large file" in html and "正常短信" not in html
