"""The seven steps of an exchange, a module each: identify, authenticate, decide, forward, minimise, record, release."""
