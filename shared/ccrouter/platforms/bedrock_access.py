"""Where Bedrock answers, and how a credential is put on a request: a key as it is, AWS keys as a signature (§1, §2)."""

from collections.abc import Mapping
from typing import Any

from ccrouter.clock import utc_now
from ccrouter.platforms.signing import sign


def bedrock_host(region: str) -> str:
    """The address of a region."""
    ending = ".cn" if region.startswith("cn-") else ""
    return f"https://bedrock-runtime.{region}.amazonaws.com{ending}"


def with_access(
    url: str, headers: list[tuple[str, str]], body: bytes, auth: Mapping[str, Any], *, region: str, service: str
) -> list[tuple[str, str]]:
    """The headers with a Bedrock key, or with the signature of AWS keys."""
    if "api_key" in auth:
        return [*headers, ("authorization", f"Bearer {auth['api_key']}")]
    return sign(
        "POST",
        url,
        headers,
        body,
        access_key_id=str(auth["access_key_id"]),
        secret_access_key=str(auth["secret_access_key"]),
        session_token=auth.get("session_token"),
        region=region,
        service=service,
        at=utc_now(),
    )
