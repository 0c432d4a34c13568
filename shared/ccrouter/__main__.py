"""`ccrouter`, the command line; also `python -m ccrouter`."""

from ccrouter.cli import cli


def main() -> None:
    """Runs the command line."""
    cli(prog_name="ccrouter")


if __name__ == "__main__":
    main()
