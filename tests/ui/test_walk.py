"""What people do on the pages, from signing in to finding a request."""

import pytest
from playwright.sync_api import expect
from tests.services import PASSWORD
from tests.ui.conftest import Pages


def test_a_wrong_password_is_told_and_the_right_one_lets_in(pages: Pages) -> None:
    """With one text for every cause; after it the page that was wanted comes."""
    page = pages.page
    page.goto(f"{pages.router.url}/logs?range=24h")
    page.locator("input[name=password]").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_text("User name or password is wrong.").wait_for()
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Request logs").wait_for()
    assert "range=24h" in page.url


@pytest.mark.parametrize("evil", ["//evil.example/", "https://evil.example/", "/\\evil.example"])
def test_signing_in_never_leads_elsewhere(pages: Pages, evil: str) -> None:
    """`next` is a path of this page or nothing."""
    page = pages.page
    page.goto(f"{pages.router.url}/login?next={evil}")
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/login" not in url)
    assert page.url.startswith(pages.router.url)


def test_a_key_is_made_used_and_found_in_the_log(pages: Pages) -> None:
    """The dialog shows the secret once and sees the first request arrive; its row tells route and cost."""
    pages.sign_in()
    page = pages.go("/keys")
    page.keyboard.press("n")
    page.get_by_label("Name · required").fill("newcomer")
    page.get_by_role("button", name="Presets").click()
    page.get_by_role("menuitem", name="All anthropic").click()
    page.get_by_role("button", name="Create key").last.click()
    secret = page.get_by_label("API key", exact=True).inner_text().strip()
    assert secret.startswith("sk-ccr-")
    page.keyboard.press("Escape")
    expect(page.get_by_text("This is the only time the full key is shown")).to_be_visible()

    with pages.router.client(**{"x-api-key": secret}) as client:
        body = {"model": "claude-haiku-5-5", "max_tokens": 20, "messages": [{"role": "user", "content": "hello"}]}
        assert client.post("/proxy/v1/messages", json=body).status_code == 200
    page.get_by_text("Received: claude-haiku-5-5, 200").wait_for()
    page.get_by_role("button", name="I have saved it").click()
    page.get_by_role("button", name="Close all the same").click()
    assert secret not in page.content()

    page.get_by_role("button", name="More actions: newcomer").first.click()
    page.get_by_role("menuitem", name="View logs").click()
    page.get_by_role("button", name="Open request of").first.click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_text("newcomer")).to_be_visible()
    drawer.get_by_role("tab", name="Route").click()
    expect(drawer.get_by_text("belongs to the family haiku")).to_be_visible()
    drawer.get_by_role("tab", name="Tokens & cost").click()
    expect(drawer.get_by_text("Price version")).to_be_visible()
    link = page.url
    pages.go("/keys")
    page.goto(link)
    page.get_by_role("dialog").wait_for()


def test_a_key_is_switched_off_and_back_by_undo(pages: Pages) -> None:
    """The switch moves at once; the toast takes it back."""
    pages.router.new_key()
    pages.sign_in()
    page = pages.go("/keys")
    switch = page.get_by_role("switch").first
    expect(switch).to_be_checked()
    switch.click()
    expect(switch).not_to_be_checked()
    page.get_by_role("button", name="Undo").click()
    expect(switch).to_be_checked()


def test_the_palette_leads_to_a_page_by_keyboard(pages: Pages) -> None:
    """Ctrl K, some letters, Enter."""
    pages.sign_in()
    page = pages.go("/keys")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search or jump to…").fill("audit")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Audit").wait_for()


def test_a_credential_is_added_with_its_errors_at_the_fields(pages: Pages) -> None:
    """What the server refuses is shown where it was typed; then it is in the list and can be deleted with undo."""
    pages.sign_in()
    page = pages.go("/platforms")
    page.get_by_role("button", name="Add credential").first.click()
    page.get_by_label("Name · required").fill("from the page")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Add credential").click()
    expect(dialog.get_by_text("This value is not accepted").first).to_be_visible()
    dialog.get_by_label("api_key").fill("sk-ant-test")
    dialog.get_by_role("button", name="Add credential").click()
    page.get_by_role("cell", name="from the page", exact=True).wait_for()
    page.get_by_role("button", name="More actions: from the page").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_text("Credential from the page deleted").wait_for()
    expect(page.get_by_role("cell", name="from the page", exact=True)).to_have_count(0)
