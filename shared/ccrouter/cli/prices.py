"""`ccrouter prices`: where list prices come from."""

import click

from ccrouter.cli.database import open_database


@click.group()
def prices() -> None:
    """Keep the list prices up to date.

    \b
    Example:
      ccrouter prices sync
    """


@prices.command()
def sync() -> None:
    """Take the list prices of the installed package genai-prices over into the database; nothing is downloaded.

    \b
    Example:
      ccrouter prices sync
    """
    from ccrouter.storage.pricesync import sync_prices

    with open_database() as (engine, _):
        version, stored = sync_prices(engine)
    click.echo(f"prices {version} are in force" if stored else f"prices {version} were in force already")
