"""Where a requested model leads: mappings, the table of Claude models, and the order in which places are tried."""
