"""PostgreSQL and Redis: the adapters behind the ports, and the repositories the admin door and the commands use."""
