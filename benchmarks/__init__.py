"""How fast and how large it is, measured: `make bench`, or `python -m benchmarks NAME`."""
