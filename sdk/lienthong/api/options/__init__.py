"""Generated from proto/lienthong/api/options by `make proto`."""
