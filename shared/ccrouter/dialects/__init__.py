"""How model families speak: each translates between Anthropic's messages and its own; no addresses, no keys."""
