"""Generated from proto/lienthong/api/exchange by `make proto`."""
