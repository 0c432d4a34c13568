"""One router for all tests of the admin door of a process."""

import ipaddress
from collections.abc import Iterator

import httpx2
import pytest
from tests.admin.site import Site
from tests.services import running_router
from tests.upstream import FakeUpstream

from ccrouter.embedded import EmbeddedServices
from ccrouter.storage.users import User


@pytest.fixture(scope="session")
def _site(embedded: EmbeddedServices, _shared_upstream: FakeUpstream) -> Iterator[Site]:
    trusted = (ipaddress.ip_network("127.0.0.0/8"),)
    with running_router(embedded, _shared_upstream, trusted_proxies=trusted) as router:
        yield Site(router)


@pytest.fixture
def site(_site: Site, upstream: FakeUpstream) -> Site:
    """The admin door; the platform behind it has no script."""
    return _site


@pytest.fixture(scope="session")
def _admin_client(_site: Site) -> Iterator[httpx2.Client]:
    with _site.client_of("admin") as client:
        yield client


@pytest.fixture
def api(site: Site, _admin_client: httpx2.Client) -> httpx2.Client:
    """The administrator's client."""
    return _admin_client


@pytest.fixture
def member(site: Site) -> User:
    """A member who has nothing yet."""
    return site.new_user()


@pytest.fixture
def member_api(site: Site, member: User) -> Iterator[httpx2.Client]:
    """That member's client."""
    with site.client_of(member.login) as client:
        yield client
