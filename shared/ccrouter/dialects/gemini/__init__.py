"""How Gemini models speak, whoever serves them."""
