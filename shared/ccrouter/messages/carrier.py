"""Reasoning state of other models on its way through a Claude client: carried in the signature of a thinking block.

A client returns thinking blocks unchanged, so what a platform wants back travels there as `px1:<tag>:<payload>`
(anthropic-passthrough.md §1, "Provenance of thinking"). Each dialect reads its own tags and drops all others; Claude's
platforms get none of them.
"""

PREFIX = "px1:"


def wrap(tag: str, payload: str) -> str:
    """The signature (or the `data` of redacted thinking) that carries a payload; an empty one marks the origin only."""
    return f"{PREFIX}{tag}:{payload}"


def unwrap(signature: object, tag: str) -> str | None:
    """The payload, possibly empty, of a carrier with this tag; None for everything else."""
    begin = f"{PREFIX}{tag}:"
    if isinstance(signature, str) and signature.startswith(begin):
        return signature[len(begin) :]
    return None


def is_carrier(signature: object) -> bool:
    """Whether a signature is one of ours, whatever its tag."""
    return isinstance(signature, str) and signature.startswith(PREFIX)
