"""What was said on the four legs of a request, for keys that ask for it: its form, without secrets, sealed."""
