"""Who may ask: API keys, and what a key allows."""
