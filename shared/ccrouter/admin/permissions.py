"""Who may do what: one row for every operation of the API. A test compares the rows with the API's description."""

ANYONE, USER, ADMIN = "anyone", "user", "admin"

PERMISSIONS: dict[str, str] = {
    "login": ANYONE,
    "logout": ANYONE,
    "getSignInProviders": ANYONE,
    "getMeta": ANYONE,
    "getMe": USER,
    "changeMe": USER,
    "listMySessions": USER,
    "endMySession": USER,
    "listUsers": ADMIN,
    "createUser": ADMIN,
    "getUser": ADMIN,
    "changeUser": ADMIN,
    "deleteUser": ADMIN,
    "restoreUser": ADMIN,
    "purgeUser": ADMIN,
    "signOutUser": USER,
    "listPlatforms": USER,
    "listKeys": USER,
    "getKey": USER,
    "createKey": ADMIN,
    "changeKey": ADMIN,
    "deleteKey": ADMIN,
    "rotateKey": ADMIN,
    "changeKeys": ADMIN,
    "testKey": ADMIN,
    "restoreKey": ADMIN,
    "purgeKey": ADMIN,
    "listCredentials": ADMIN,
    "createCredential": ADMIN,
    "getCredential": ADMIN,
    "changeCredential": ADMIN,
    "deleteCredential": ADMIN,
    "restoreCredential": ADMIN,
    "purgeCredential": ADMIN,
    "testCredential": ADMIN,
    "resetCredential": ADMIN,
    "getCredentialHealth": ADMIN,
    "setUpCredential": ADMIN,
    "resolveModel": ADMIN,
    "listLogs": USER,
    "summarizeLogs": USER,
    "exportLogs": USER,
    "getLog": USER,
    "listSessions": USER,
    "getSession": USER,
    "getLogCapture": USER,
    "getStatsSummary": USER,
    "getStatsSeries": USER,
    "getStatsBreakdown": USER,
    "getPrices": USER,
    "matchPrice": USER,
    "putPrices": ADMIN,
    "syncPrices": ADMIN,
    "rerate": ADMIN,
    "listAudit": ADMIN,
    "getSettings": ADMIN,
    "changeSettings": ADMIN,
    "listJobs": USER,
    "getJob": USER,
    "getJobResult": USER,
}
"""`user`: everybody who is signed in; a member then sees only what is theirs."""


def permissions_of(role: str) -> list[str]:
    """The operations open to a role."""
    return sorted(
        operation for operation, who in PERMISSIONS.items() if who in (ANYONE, USER) or (who == ADMIN and role == ADMIN)
    )
