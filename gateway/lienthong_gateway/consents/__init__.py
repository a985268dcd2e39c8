"""Consents: asked for by a consumer, decided by the citizen at the identity provider, kept and ended here."""
