"""What citizens ask about their own data, and erasing them from the gateway."""
