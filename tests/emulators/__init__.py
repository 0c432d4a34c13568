"""Emulators of the platforms: they check requests as strictly as the services do, and answer as scripted."""
