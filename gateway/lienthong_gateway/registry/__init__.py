"""What is registered at the gateway: kept in its database, changed by administrators, read by every decision."""
