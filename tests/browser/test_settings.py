"""A newcomer's way: an account, an organisation, a member, a repository's settings, the end."""

from __future__ import annotations

from playwright.sync_api import expect

PASSWORD = "four quiet words here"


def test_a_newcomer_makes_an_account_an_organisation_and_ends_both(open_window, hub_server):
    hub_server.person("invitee", password=PASSWORD)
    link = hub_server.manage("invite_person")
    window, other = open_window(), open_window(width=360, theme="dark", java_script_enabled=False)

    page = window.goto(link.removeprefix(window.url))
    page.get_by_label("Name", exact=True).fill("settler")
    page.get_by_label("Mail address").fill("settler@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.locator("main")).to_contain_text("Welcome")

    window.goto("/-/new-organization")
    page.get_by_label("Name", exact=True).fill("settlement")
    page.get_by_role("button", name="Create organisation").click()
    page.get_by_label("Name of the person").fill("invitee")
    page.get_by_label("Role", exact=True).select_option(
        label="Write: also changes, approves, merges and creates"
    )
    page.get_by_role("button", name="Invite").click()
    expect(page.locator("main")).to_contain_text("invitee is invited")

    there = other.goto("/-/sign-in?next=/-/settings/organizations")
    there.get_by_label("Name").fill("invitee")
    there.get_by_label("Password").fill(PASSWORD)
    there.locator("main").get_by_role("button", name="Sign in").click()
    there.get_by_role("button", name="Accept").click()
    expect(there.locator("main")).to_contain_text("You are a member of settlement now.")

    page.reload()
    page.get_by_label("Role of invitee").select_option("Read")
    page.get_by_role("button", name="Change role invitee").click()
    expect(page.locator("main")).to_contain_text("invitee has the role “Read” now.")

    window.goto("/-/new?owner=settlement")
    page.get_by_label("Name", exact=True).fill("hut")
    page.locator("main").get_by_role("button", name="Create").click()
    window.goto("/settlement/hut/settings/collaborators")
    page.get_by_label("Name of the person").fill("invitee")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("main")).to_contain_text("invitee has the role “Read” now.")
    page.get_by_role("link", name="Branches").click()
    page.get_by_label("Branch", exact=True).fill("release/*")
    page.get_by_role("button", name="Protect").click()
    expect(page.locator("main")).to_contain_text("release/* is protected")
    page.get_by_role("link", name="Transfer, delete").click()
    page.get_by_label("Type settlement/hut to confirm").fill("settlement/hut")
    page.get_by_role("button", name="Delete this repository").click()
    expect(page.locator("main")).to_contain_text("settlement/hut is deleted.")

    window.goto("/-/organizations/settlement/delete")
    page.get_by_label("Type settlement to confirm").fill("settlement")
    page.get_by_role("button", name="Delete this organisation").click()
    window.goto("/-/settings/close")
    page.get_by_label("Your name").fill("settler")
    page.get_by_label("Your password now").fill(PASSWORD)
    page.get_by_role("button", name="Delete my account").click()
    expect(page.locator("main")).to_contain_text("Your account is deleted.")
    assert window.said == other.said == []
