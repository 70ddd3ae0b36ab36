"""The keys that mask, sign and shred: per purpose, in versions, kept by a provider."""
