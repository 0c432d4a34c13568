"""The order in which credentials and targets are tried for one request (`product.md` §4)."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ccrouter.credentials.kinds import Credential
from ccrouter.errors import NO_RETRY, NotFound, Unavailable, Verdict
from ccrouter.platforms.registry import PLATFORMS, SELF_ANSWERING, UNMAPPED_PLATFORM
from ccrouter.routing.mapping import Mapping, Resolution, Target


@dataclass(frozen=True, slots=True)
class Candidate:
    """One try: a target and the credential to try it with (None where the platform needs none)."""

    target: Target
    target_index: int
    credential: Credential | None


def plan(
    model: str, resolution: Resolution, mapping: Mapping, credentials: Sequence[Credential], conversation: str
) -> list[Candidate]:
    """All tries for a request, best first.

    Raises NotFound where the name leads nowhere, Unavailable where it leads to platforms that have no credential.
    """
    targets = resolution.targets
    if targets is None:
        if not any(credential.platform == UNMAPPED_PLATFORM for credential in credentials):
            raise NotFound(
                f"{nowhere(model, mapping)} Other names go to {UNMAPPED_PLATFORM}, but this router has no credential "
                "for it; an administrator must add one."
            )
        targets = (Target(UNMAPPED_PLATFORM, model),)
    if not targets:
        raise NotFound(nowhere(model, mapping))
    candidates = []
    for index, target in enumerate(targets):
        if target.platform in SELF_ANSWERING:
            candidates.append(Candidate(target, index, None))
        elif target.platform in PLATFORMS:
            usable = [credential for credential in credentials if _fits(credential, target)]
            usable.sort(key=lambda credential: (-credential.priority, _preference(credential, conversation)))
            candidates += [Candidate(target, index, credential) for credential in usable]
    if not candidates:
        platforms = ", ".join(dict.fromkeys(target.platform for target in targets))
        raise Unavailable(
            f"The model {model} is mapped to {platforms}, but this router has no usable credential for it. "
            "An administrator must add or enable one.",
            extra=NO_RETRY,
        )
    return candidates


def next_position(candidates: Sequence[Candidate], position: int, verdict: Verdict) -> int | None:
    """Which candidate is tried after the one at `position` failed; None where nothing else may be tried.

    After a refusal no further account of that platform is tried, in later targets neither (`product.md` §4).
    """
    if verdict is Verdict.FINAL:
        return None
    failed = candidates[position]
    for following in range(position + 1, len(candidates)):
        candidate = candidates[following]
        if verdict is Verdict.NEXT_CREDENTIAL or (
            candidate.target_index != failed.target_index and candidate.target.platform != failed.target.platform
        ):
            return following
    return None


def nowhere(model: str, mapping: Mapping) -> str:
    """The message for a model name that leads nowhere. It begins as clients expect it (anthropic-messages.md §9.2)."""
    slots = ", ".join(sorted(name for name, chain in mapping.slots.items() if chain)) or "none"
    patterns = ", ".join(rule.match for rule in mapping.rules)
    return f"model: {model}. This key has no target for it; slots of this key: {slots}" + (
        f"; rules: {patterns}." if patterns else "."
    )


def _fits(credential: Credential, target: Target) -> bool:
    return (
        credential.platform == target.platform
        and (target.credential_id is None or credential.id == target.credential_id)
        and (credential.models is None or target.model in credential.models)
    )


def _preference(credential: Credential, conversation: str) -> float:
    """Weighted rendezvous hashing: a conversation always finds the same order, so that the prompt cache is hit.

    No state is shared for it: each process comes to the same order, and a credential that comes or goes moves only
    the conversations that were its own.
    """
    hashed = hashlib.blake2b(f"{conversation}\0{credential.id}".encode(), digest_size=8).digest()
    uniform = (int.from_bytes(hashed, "big") + 1) / (2**64 + 1)
    return -math.log(uniform) / max(credential.weight, 1e-9)
