"""How events are cut out of bytes: server-sent events and AWS event streams."""
