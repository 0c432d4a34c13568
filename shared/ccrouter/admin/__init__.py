"""The admin door: the JSON API under `/api` with which people manage keys, credentials and logs."""
