"""What of the portal is a page: the login round-trip, and giving consent."""
