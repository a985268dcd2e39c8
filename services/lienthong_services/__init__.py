"""The simulated agencies, one package each; none imports another."""
