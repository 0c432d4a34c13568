"""The chore that takes list prices over when a newer package is installed; nothing is downloaded (pricing.md)."""

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ccrouter.services import Services

_log = logging.getLogger(__name__)


def take_list_prices(services: "Services") -> None:
    """Puts the list of the installed package in force, beside own prices, unless it is already.

    The package is loaded only where its list is another one: it takes some 35 MB.
    """
    from ccrouter.storage import prices, pricesync

    if prices.current(services.engine).list_version == pricesync.installed_list():
        return
    version, _ = pricesync.sync_prices(services.engine)
    _log.info("prices %s are in force", version)
