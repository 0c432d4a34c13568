"""The worker: what is done beside the requests."""
