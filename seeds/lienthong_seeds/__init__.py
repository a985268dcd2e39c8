"""Reference data, the synthetic population, personas and the members of the exchange."""
