"""Generated from proto/lienthong/api/errors by `make proto`."""
