"""Generated from proto/lienthong/api by `make proto`."""
