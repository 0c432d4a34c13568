"""A browser, and the pages of a running router in it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.admin.site import an_address
from tests.services import PASSWORD, RunningRouter

ROOT = Path(__file__).parents[2]
AXE = ROOT / "frontend/node_modules/axe-core/axe.min.js"
_CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_WATCH = """
window.violations = [];
document.addEventListener('securitypolicyviolation', (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One browser for all of these; they stay together."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, for one module: while its driver is there, an event loop runs in this thread."""
    if _CHROMIUM is None:
        pytest.skip("no Chromium here (looked for chromium, chromium-browser and google-chrome)")
    if not (ROOT / "frontend/dist/index.html").is_file():
        pytest.skip("the web UI is not built (make ui)")
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=_CHROMIUM, args=_FLAGS)
        yield found
        found.close()


@dataclass
class Pages:
    """The router's pages in a browser of one language and theme; `complaints` are errors it printed."""

    router: RunningRouter
    page: Page
    complaints: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        """Opens an address and waits until its data has come."""
        self.page.goto(self.router.url + path)
        self.settle()
        return self.page

    def settle(self) -> None:
        """Waits until nothing is on its way."""
        self.page.locator("h1").wait_for()
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0)

    def sign_in(self, password: str = PASSWORD) -> None:
        """Signs the administrator in."""
        self.page.goto(f"{self.router.url}/login")
        self.page.locator("input[name=password]").fill(password)
        self.page.locator("button[type=submit]").click()
        self.page.wait_for_url(lambda url: "/login" not in url)

    def violations(self) -> list[str]:
        """What the content policy has kept from happening on this page."""
        found: list[str] = self.page.evaluate("window.violations")
        return found


def _open(
    browser: Browser, router: RunningRouter, locale: str, scheme: str, width: int
) -> tuple[BrowserContext, Pages]:
    context = browser.new_context(
        locale=locale,
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": 800},
        extra_http_headers={"x-forwarded-for": an_address()},
        reduced_motion="reduce",
    )
    context.add_init_script(_WATCH)
    context.set_default_timeout(20_000)
    page = context.new_page()
    pages = Pages(router, page)
    page.on("pageerror", lambda error: pages.complaints.append(str(error)))
    # A 401 before the sign-in is how the page learns that nobody is signed in; a 422 is shown at its field.
    page.on(
        "console",
        lambda said: (
            pages.complaints.append(said.text)
            if said.type == "error" and not any(status in said.text for status in ("status of 401", "status of 422"))
            else None
        ),
    )
    return context, pages


@pytest.fixture
def pages(browser: Browser, router: RunningRouter) -> Iterator[Pages]:
    """English, light, on a wide screen. Nothing may have gone wrong in the page at the end."""
    context, found = _open(browser, router, "en-US", "light", 1280)
    yield found
    violations = found.violations()
    context.close()
    assert (violations, found.complaints) == ([], [])


@pytest.fixture(params=[("en-US", "light"), ("en-US", "dark"), ("zh-CN", "light"), ("zh-CN", "dark")], ids="-".join)
def dressed_pages(browser: Browser, router: RunningRouter, request: pytest.FixtureRequest) -> Iterator[Pages]:
    """In each language and theme."""
    locale, scheme = request.param
    context, found = _open(browser, router, locale, scheme, 1280)
    yield found
    context.close()
    assert found.complaints == []


@pytest.fixture
def phone(browser: Browser, router: RunningRouter) -> Iterator[Pages]:
    """A phone of 390 px."""
    context, found = _open(browser, router, "en-US", "light", 390)
    yield found
    context.close()
    assert found.complaints == []
