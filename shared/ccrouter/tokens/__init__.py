"""Access for credentials that must sign in first: tokens that expire, and identities of the process."""

from ccrouter.tokens.standing import StandingAccess

__all__ = ["StandingAccess"]
