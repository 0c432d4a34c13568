"""Claude Code Router: a Claude API gateway.

One address and one key for every Claude client; behind them any platform the operator has credentials for.
"""

__version__ = "0.1.0"
