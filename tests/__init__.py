"""The tests; `CONTRIBUTING.md` says which lane is for what."""
