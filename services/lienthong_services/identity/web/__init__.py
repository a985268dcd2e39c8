"""The identity provider over HTTPS: OpenID Connect for clients, pages for citizens."""
