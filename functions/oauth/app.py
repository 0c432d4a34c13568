"""The OAuth function: the OAuth door behind Mangum. It reaches GitHub and nothing else."""

from mangum import Mangum

from ccrouter.config import read_environment, require
from ccrouter.oauth import create_oauth_app

_settings = read_environment()
require(_settings, "jwt_secret", "frontend_url", "github_client_id", "github_client_secret")
handler = Mangum(create_oauth_app(_settings), lifespan="off")
