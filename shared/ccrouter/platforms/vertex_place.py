"""Where requests to Vertex AI go: the address of a location, and the project they belong to (gemini.md §1)."""

from ccrouter.credentials.kinds import Credential, VertexOptions
from ccrouter.errors import InvalidRequest

_MULTI_REGIONS = frozenset({"us", "eu"})


def vertex_base(region: str, *, express: bool = False) -> str:
    """The address of a location, without version."""
    if express or region == "global":
        return "https://aiplatform.googleapis.com"
    if region in _MULTI_REGIONS:
        return f"https://aiplatform.{region}.rep.googleapis.com"
    return f"https://{region}-aiplatform.googleapis.com"


def vertex_project(credential: Credential, options: VertexOptions) -> str:
    """The project that requests belong to: the option, the key's own, or what the sign-in found."""
    account = credential.auth.get("service_account")
    known = account.get("project_id") if isinstance(account, dict) else None
    project = options.project or known or credential.auth.get("project")
    if not project:
        raise InvalidRequest(
            "The platform vertex needs a project: an administrator must set options.project of its credential."
        )
    return str(project)
