"""The seven steps of one exchange, a module each: identify, authenticate, decide, forward, minimise, record, release."""
