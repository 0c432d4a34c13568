"""Anthropic's messages: requests as they are read, answers as they are written, tokens as they are counted."""
