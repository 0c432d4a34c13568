"""All pages: accessible, under the strict content policy, in both languages and themes, on a phone too."""

from typing import Any

import pytest
from playwright.sync_api import Page
from tests.ui.conftest import AXE, Pages

PAGES = ("/", "/usage", "/keys", "/logs", "/platforms", "/users", "/audit", "/settings")


def axe_violations(page: Page) -> list[str]:
    """What axe finds at fault, all impacts."""
    page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']} ({violation['impact']}): {node['html'][:160]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def test_no_page_has_an_accessibility_fault(dressed_pages: Pages) -> None:
    """Every page and its first dialog pass axe in both languages and themes, and nothing breaks the content policy."""
    faults: dict[str, list[str]] = {}
    dressed_pages.page.goto(f"{dressed_pages.router.url}/login")
    dressed_pages.page.wait_for_selector("input[name=password]")
    faults["/login"] = axe_violations(dressed_pages.page)
    dressed_pages.sign_in()
    for path in PAGES:
        page = dressed_pages.go(path)
        faults[path] = axe_violations(page) + dressed_pages.violations()
        if path in ("/keys", "/platforms", "/users"):
            page.keyboard.press("n")
            page.wait_for_selector("[role=dialog]")
            faults[f"{path} n"] = axe_violations(page) + dressed_pages.violations()
    assert {where: found for where, found in faults.items() if found} == {}


def test_no_page_is_wider_than_a_phone(phone: Pages) -> None:
    """Nothing scrolls sideways but tables inside themselves."""
    phone.sign_in()
    wide: dict[str, int] = {}
    for path in PAGES:
        page = phone.go(path)
        width: int = page.evaluate("document.documentElement.scrollWidth")
        if width > 390:
            wide[path] = width
    assert wide == {}


def test_the_language_changes_in_place(pages: Pages) -> None:
    """Without a reload, and it is kept."""
    pages.sign_in()
    page = pages.go("/keys")
    page.evaluate("window.same = true")
    page.get_by_role("button", name="中文").click()
    page.get_by_role("heading", name="API 密钥").wait_for()
    assert page.evaluate("window.same") is True
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    page.reload()
    page.get_by_role("heading", name="API 密钥").wait_for()


def test_the_theme_is_there_before_the_first_paint(pages: Pages) -> None:
    """A dark page stays dark over a reload; the class is set before the module has run."""
    pages.sign_in()
    page = pages.go("/keys")
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("menuitem", name="Dark").click()
    assert "dark" in page.evaluate("document.documentElement.className")
    page.route("**/assets/*.js", lambda route: route.abort())
    page.reload(wait_until="domcontentloaded")
    assert "dark" in page.evaluate("document.documentElement.className")
    pages.complaints.clear()


@pytest.mark.parametrize("path", ["/nowhere", "/keys/nowhere/else"])
def test_an_unknown_address_says_so(pages: Pages, path: str) -> None:
    """And leads back."""
    page = pages.page
    page.goto(pages.router.url + path)
    page.get_by_text("There is no such page").wait_for()
    assert page.get_by_role("link", name="Go to the start page").is_visible()
