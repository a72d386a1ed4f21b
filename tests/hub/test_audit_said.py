"""The audit trail in sentences."""

from __future__ import annotations

import pytest

from hub.actions.collaborators import set_collaborator
from hub.actions.protections import protect_branch
from hub.actions.repositories import update_settings
from hub.models import Access, AuditEntry
from hub.policies import Actor
from hub.web.audit_said import sentence
from tests.factories import make_member, make_organization, make_repository, make_user

OLD, NEW = "1" * 40, "2" * 40


@pytest.mark.parametrize(
    ("action", "subject", "old", "new", "said"),
    [
        ("repository.create", "model a/b", "", "", "created a/b"),
        ("repository.delete", "dataset a/b", OLD, "", "deleted a/b"),
        ("repository.visibility", "model a/b", "public", "private", "made a/b private"),
        ("repository.visibility", "model a/b", "private", "public", "made a/b public"),
        ("repository.gated", "model a/b", "auto", "", "opened the files of a/b to all who see it"),
        ("repository.gated", "model a/b", "", "auto", "gated the files of a/b: who asks is let in"),
        (
            "repository.gated",
            "model a/b",
            "",
            "manual",
            "gated the files of a/b: each request is decided",
        ),
        ("repository.move", "model a/b → c/d", "", "", "moved a/b to c/d"),
        ("repository.offer", "model a/b → c", "", "", "offered a/b to c"),
        ("repository.offer_end", "model a/b", "", "", "ended the offer of a/b"),
        ("collaborator.set", "model a/b: bob", "", "read", "gave bob the role Read on a/b"),
        (
            "collaborator.set",
            "model a/b: bob",
            "write",
            "read",
            "changed the role of bob on a/b from Write to Read",
        ),
        ("collaborator.remove", "model a/b: bob", "", "", "took bob off a/b"),
        ("member.set", "a: bob", "", "admin", "made bob a member of a with the role Admin"),
        (
            "member.set",
            "a: bob",
            "admin",
            "contribute",
            "changed the role of bob in a from Admin to Contribute",
        ),
        ("member.remove", "a: bob", "read", "", "ended the membership of bob in a"),
        ("member.invite", "a: bob", "", "read", "invited bob to a with the role Read"),
        ("member.invite_withdrawn", "a: bob", "", "read", "withdrew the invitation of bob to a"),
        ("member.joined", "a: bob", "", "read", "joined a with the role Read"),
        ("member.declined", "a: bob", "", "read", "declined the invitation to a"),
        ("access.ask", "model a/b: bob", "", "pending", "asked for the files of a/b"),
        (
            "access.ask",
            "model a/b: bob",
            "",
            "accepted",
            "asked for the files of a/b and was let in",
        ),
        ("access.decide", "model a/b: bob", "pending", "accepted", "let bob have the files of a/b"),
        ("access.decide", "model a/b: bob", "pending", "rejected", "refused bob the files of a/b"),
        (
            "access.decide",
            "model a/b: bob",
            "rejected",
            "pending",
            "took back the answer to bob about the files of a/b",
        ),
        ("access.grant", "model a/b: bob", "", "accepted", "let bob have the files of a/b unasked"),
        (
            "branch.protect",
            "a/b main",
            "",
            "1 approvals, gate on",
            "protected the branch main of a/b: 1 approval, the gate must pass",
        ),
        (
            "branch.protect",
            "a/b rel*",
            "",
            "0 approvals, gate off",
            "protected the branch rel* of a/b: 0 approvals, no gate",
        ),
        ("branch.unprotect", "a/b main", "", "", "ended the protection of the branch main of a/b"),
        (
            "large_file.remove",
            f"model a/b {'c' * 64}",
            "c" * 64,
            "",
            "removed the large file cccccccccccc… from a/b",
        ),
        (
            "ref.move",
            "model a/b refs/heads/main",
            OLD,
            NEW,
            "moved the branch main of a/b from 1111111 to 2222222",
        ),
        ("ref.move", "model a/b refs/tags/v1", "", NEW, "made the tag v1 of a/b at 2222222"),
        (
            "ref.move",
            "model a/b refs/pr/3",
            OLD,
            "",
            "deleted the pull request 3 of a/b, which was at 1111111",
        ),
        ("organization.create", "a", "", "", "created the organisation a"),
        ("organization.update", "a", "", "", "changed the profile or defaults of a"),
        ("organization.delete", "a", "", "", "deleted the organisation a"),
        ("organization.picture", "a", "", "chosen", "chose a picture for a"),
        ("person.deactivate", "bob", "", "", "deactivated the account bob"),
        ("person.reactivate", "bob", "", "", "reactivated the account bob"),
        ("person.password_link", "bob", "", "", "made a link to a new password for bob"),
        ("person.password", "bob", "", "", "set a new password for bob"),
        ("person.create", "bob", "", "", "made the account bob"),
        ("person.email", "bob", "", "", "changed the mail address of bob"),
        ("person.sign_out", "bob", "", "", "signed bob out everywhere"),
        ("person.picture", "bob", "", "removed", "removed the picture of bob"),
        ("person.close", "bob", "", "", "closed the account bob"),
        ("something.else", "a/b", "", "", ""),
        ("repository.move", "no arrow", "", "", ""),
    ],
)
def test_a_line_is_a_sentence(action, subject, old, new, said):
    row = AuditEntry(action=action, subject=subject, old=old, new=new)
    assert sentence(row) == said


@pytest.mark.django_db
def test_the_pages_show_sentences_and_no_codes(client_for):
    organization = make_organization("lab")
    admin = make_member(organization, access=Access.ADMIN, username="ada")
    repository = make_repository(organization)
    repository.access = Access.ADMIN
    actor, bob = Actor(admin), make_user("bob")
    set_collaborator(repository, bob, Access.WRITE, by=actor)
    set_collaborator(repository, bob, Access.READ, by=actor)
    protect_branch(repository, actor, branch="main", required_approvals=2, require_gate=True)
    update_settings(repository, actor, visibility="private")
    name = repository.repo_id
    for address in (f"/{repository.path}/settings/audit", "/-/organizations/lab/audit"):
        page = client_for(admin).get(address).content.decode()
        assert f"changed the role of bob on {name} from Write to Read" in page
        assert f"protected the branch main of {name}: 2 approvals, the gate must pass" in page
        assert f"made {name} private" in page
        assert "→" not in page
        assert "<code>collaborator" not in page
