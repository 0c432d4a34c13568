"""Sign-ins as other programs keep them: their spellings, put into ours (kiro.md §3.1). The operator pastes them."""

from typing import Any

_NAMES = {
    "accessToken": "access_token",
    "refreshToken": "refresh_token",
    "expiresAt": "expires_at",
    "profileArn": "profile_arn",
    "authMethod": "auth_method",
    "clientId": "client_id",
    "clientSecret": "client_secret",
    "clientSecretExpiresAt": "client_secret_expires_at",
    "startUrl": "start_url",
    "region": "auth_region",
}
_METHODS = {
    "builder-id": "idc",
    "builderid": "idc",
    "iam": "idc",
    "idc": "idc",
    "social": "social",
    "api_key": "api_key",
}
_SAY_NOTHING = frozenset({"provider", "clientIdHash", "scopes", "oauth_flow", "tokenType", "token_type", "idToken"})


def kiro_imported(auth: dict[str, Any]) -> dict[str, Any]:
    """The `auth` of a Kiro credential: the token file of Kiro's IDE (with the client's id and secret added), a token of
    its command line, or what is in our form already.

    A sign-in that does not say how it was made is told by its client: only AWS's own have one.
    """
    found: dict[str, Any] = {}
    for name, value in auth.items():
        if name not in _SAY_NOTHING:
            found.setdefault(_NAMES.get(name, name), value)
    method = found.get("auth_method")
    if isinstance(method, str):
        found["auth_method"] = _METHODS.get(method.strip().lower(), method)
    elif "auth_method" not in found and "refresh_token" in found:
        found["auth_method"] = "idc" if found.get("client_id") else "social"
    return found
