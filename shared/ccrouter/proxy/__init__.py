"""The door that Claude clients call: plain ASGI, so that it starts quickly and streams."""
