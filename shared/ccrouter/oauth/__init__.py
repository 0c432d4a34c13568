"""The OAuth door: sends people to GitHub and receives them back. It speaks with GitHub only, and has no database."""

from ccrouter.oauth.app import create_oauth_app, oauth_routes

__all__ = ["create_oauth_app", "oauth_routes"]
