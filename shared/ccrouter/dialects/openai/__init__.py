"""Chat Completions and Responses: what is sent to addresses that speak OpenAI's API, and how they answer."""
