"""The admin function: the admin door behind Mangum."""

from mangum import Mangum

from ccrouter.api import create_api
from ccrouter.config import read_environment
from ccrouter.services import Services

handler = Mangum(create_api(Services.build(read_environment())), lifespan="off")
