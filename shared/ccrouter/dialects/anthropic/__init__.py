"""The common tongue: its streams, whole answers and errors are read here, and never rewritten."""
