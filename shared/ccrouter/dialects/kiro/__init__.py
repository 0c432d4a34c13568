"""How Kiro speaks: one streaming operation with a conversation of its own shape (kiro.md)."""
