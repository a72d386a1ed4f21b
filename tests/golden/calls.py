"""Calls of the client by name, under any interpreter that has one: `calls.py NAME [ARGUMENTS]`.

Prints one line of JSON: `{"value": …}`, or `{"raised": [class names], "text": …}`. Stands alone:
the older client's environment holds the client and nothing else.
"""

import hashlib
import io
import json
import sys
from pathlib import Path

import huggingface_hub as hub
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi

api = HfApi()


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def version():
    return hub.__version__


# Repositories


def create_repo(repo_id, options):
    return str(api.create_repo(repo_id, **options))


def repo_exists(repo_id, repo_type, anonymous=False):
    return HfApi(token=False if anonymous else None).repo_exists(repo_id, repo_type=repo_type)


def model_info(repo_id, options):
    info = api.model_info(repo_id, **options)
    files = [
        [one.rfilename, one.size, one.blob_id, one.lfs.sha256 if one.lfs else None]
        for one in info.siblings or []
    ]
    known = {key: value for key, value in vars(info).items() if value is not None}
    card = info.card_data.to_dict() if info.card_data else None
    return {
        "sha": info.sha,
        "siblings": files,
        "keys": sorted(known),
        "tags": info.tags,
        "card": card,
        "private": info.private,
        "gated": info.gated,
    }


def models(options):
    return [one.id for one in api.list_models(**options)]


def datasets(options):
    return [one.id for one in api.list_datasets(**options)]


# Files


def download(repo_id, filename, options=None):
    path = api.hf_hub_download(repo_id, filename, **(options or {}))
    return {"path": path, "sha256": sha256(path)}


def snapshot(repo_id, options=None):
    folder = Path(api.snapshot_download(repo_id, **(options or {})))
    files = [path for path in folder.rglob("*") if path.is_file() and ".cache" not in path.parts]
    return {str(path.relative_to(folder)): sha256(path) for path in files}


def known_absence(repo_id, filename):
    found = hub.try_to_load_from_cache(repo_id, filename)
    return "absent" if found is hub._CACHED_NO_EXIST else found


def upload_stream(repo_id, path, local_path):
    content = io.BytesIO(Path(local_path).read_bytes())
    return api.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id=repo_id).oid


def upload(repo_id, path, local_path, options=None):
    done = api.upload_file(
        path_or_fileobj=local_path, path_in_repo=path, repo_id=repo_id, **(options or {})
    )
    return {"oid": done.oid, "revision": done.pr_revision, "number": done.pr_num}


def commit(repo_id, operations, options=None):
    def one(kind, *parts):
        if kind == "add":
            return CommitOperationAdd(parts[0], parts[1].encode())
        return {"delete": CommitOperationDelete, "copy": CommitOperationCopy}[kind](*parts)

    done = api.create_commit(
        repo_id,
        [one(*operation) for operation in operations],
        **{"commit_message": "Change files", **(options or {})},
    )
    return done.oid


def reading(repo_id):
    """The same files by every route that lists them."""

    def entry(one):
        size = getattr(one, "size", None)
        oid = getattr(one, "blob_id", None) or getattr(one, "tree_id", None)
        return [oid, size, one.last_commit.oid if one.last_commit else None]

    tree = list(api.list_repo_tree(repo_id, recursive=True, expand=True))
    paths = [one.path for one in tree]
    return {
        "tree": {one.path: entry(one) for one in tree},
        "files": api.list_repo_files(repo_id),
        "paths": {one.path: entry(one) for one in api.get_paths_info(repo_id, paths, expand=True)},
        "refs": {ref.ref: ref.target_commit for ref in api.list_repo_refs(repo_id).branches},
        "commits": [[one.commit_id, one.title] for one in api.list_repo_commits(repo_id)],
    }


def list_files(repo_id, options=None):
    return sorted(api.list_repo_files(repo_id, **(options or {})))


# Conversation


def converse(repo_id):
    """Everything one does to a discussion, and what the details say afterwards."""
    number = api.create_discussion(repo_id, title="A quesion", description="Why?").num
    comment = api.comment_discussion(repo_id, number, comment="Becuase.")
    edited = api.edit_discussion_comment(repo_id, number, comment.id, new_content="Because.")
    api.rename_discussion(repo_id, number, new_title="A question")
    api.change_discussion_status(repo_id, number, new_status="closed", comment="Done.")
    details = api.get_discussion_details(repo_id, number)
    events = [[one.type, getattr(one, "content", None)] for one in details.events]
    same = [one.content for one in details.events if one.id == edited.id]
    found = {"title": details.title, "status": details.status, "events": events}
    return found | {"edited": edited.content, "same": same}


def discussion(repo_id, number):
    details = api.get_discussion_details(repo_id, number)
    merged = details.merge_commit_oid if details.is_pull_request else None
    return {"status": details.status, "title": details.title, "merged": merged}


# Cards


def push_card(repo_id, field, value):
    """Load the card, change one field of its metadata, push it."""
    card = hub.ModelCard.load(repo_id)
    setattr(card.data, field, value)
    return card.push_to_hub(repo_id)


# File system


def file_system(repo_id, ranges):
    """Writes, lists, reads ranges, copies and removes under `repo_id`."""
    files = hub.HfFileSystem()
    content = bytes(range(256)) * 4000
    with files.open(f"{repo_id}/data/numbers.dat", "wb") as file:
        file.write(content)
    files.cp(f"{repo_id}/data/numbers.dat", f"{repo_id}/data/copy.dat")
    files.invalidate_cache()
    listed = files.ls(f"{repo_id}/data", detail=False)
    found = files.glob(f"{repo_id}/**/*.dat")
    right = []
    with files.open(f"{repo_id}/data/copy.dat", "rb") as file:
        for start, end in ranges:
            file.seek(start)
            right.append(file.read(end - start) == content[start:end])
    for start, end in ranges:
        part = files.cat_file(f"{repo_id}/data/numbers.dat", start=start, end=end)
        right.append(part == content[start:end])
    files.rm(f"{repo_id}/data/numbers.dat")
    files.invalidate_cache()
    return {
        "listed": listed,
        "found": found,
        "right": right,
        "left": files.ls(f"{repo_id}/data", detail=False),
    }


# Access


def access(repo_id, what, *arguments, **options):
    """One of the calls on requests for access."""
    return getattr(api, what)(repo_id, *arguments, **options)


def requests_for(repo_id, state):
    found = getattr(api, f"list_{state}_access_requests")(repo_id)
    return [[one.username, one.status] for one in found]


def reject(repo_id, user, reason):
    api.reject_access_request(repo_id, user, rejection_reason=reason)


# History and storage


def squash(repo_id, message):
    api.super_squash_history(repo_id, commit_message=message)
    return [[one.commit_id, one.title] for one in api.list_repo_commits(repo_id)]


def large_files(repo_id):
    return [[one.filename, one.file_oid, one.size] for one in api.list_lfs_files(repo_id)]


def forget_large_files(repo_id, name):
    found = [one for one in api.list_lfs_files(repo_id) if one.filename == name]
    api.permanently_delete_lfs_files(repo_id, found)
    return len(found)


# Webhooks


def webhooks():
    return [[one.id, one.url, one.disabled] for one in api.list_webhooks()]


def main(name, arguments):
    try:
        return {"value": globals()[name](*arguments)}
    except Exception as error:  # every kind is an answer to the test
        kinds = [one.__name__ for one in type(error).__mro__ if one not in (object, Exception)]
        return {"raised": kinds, "text": str(error)}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], json.loads(sys.argv[2])), default=str))  # noqa: T201
