"""The e-identity provider: OpenID Connect, the citizen's pages, and accounts for agencies."""
