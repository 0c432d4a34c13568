"""The proxy function: the proxy door as an ASGI application, for uvicorn (on Lambda behind Lambda Web Adapter)."""

from ccrouter.config import read_environment
from ccrouter.proxy.door import ProxyDoor
from ccrouter.services import Services

app = ProxyDoor(Services.build(read_environment()))
