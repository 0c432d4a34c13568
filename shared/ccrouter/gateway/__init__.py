"""The story of a request, from a valid key to a durable record."""

from ccrouter.gateway.answers import error_answer, router_fault, storage_away
from ccrouter.gateway.call import Call
from ccrouter.gateway.capturing import Capture
from ccrouter.gateway.probe import probe, try_key
from ccrouter.gateway.story import Gateway

__all__ = ["Call", "Capture", "Gateway", "error_answer", "probe", "router_fault", "storage_away", "try_key"]
