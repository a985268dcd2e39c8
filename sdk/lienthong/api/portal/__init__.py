"""Generated from proto/lienthong/api/portal by `make proto`."""
