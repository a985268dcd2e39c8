"""What can be seen of the gateway: the catalogue, and the exchange log."""
