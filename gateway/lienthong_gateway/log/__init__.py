"""The exchange log: an append-only RFC 6962 Merkle tree of canonical JSON leaves, with signed checkpoints."""
