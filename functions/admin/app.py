"""The admin function: the admin door behind Mangum."""

from mangum import Mangum

from ccrouter.admin.app import create_admin_app
from ccrouter.config import read_environment
from ccrouter.services import Services

handler = Mangum(create_admin_app(Services.build(read_environment())), lifespan="off")
