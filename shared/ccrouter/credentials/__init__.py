"""What a credential holds for each platform, and how secrets are sealed; nothing about where they are stored."""
