-- Renews the lease of a request that still runs; where Redis has lost it, or never knew, it is taken anew.
-- KEYS: slots and reserved of the key, slots and reserved of its owner. ARGV: end of the lease in ms, id, tokens, nano.
take(KEYS[1], KEYS[2], ARGV[2], ARGV[1], ARGV[3], ARGV[4])
take(KEYS[3], KEYS[4], ARGV[2], ARGV[1], ARGV[3], ARGV[4])
return 1
