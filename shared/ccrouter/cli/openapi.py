"""`ccrouter openapi`: the admin API's own description."""

import json

import click


@click.command()
def openapi() -> None:
    """Print the OpenAPI document of the admin API.

    \b
    Example:
      ccrouter openapi > openapi.json
    """
    from ccrouter.api import describe_api

    click.echo(json.dumps(describe_api(), indent=1))
