"""The gateway: the seven steps of an exchange, consents, access rights, the exchange log."""
