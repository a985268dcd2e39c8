"""Generated from proto/lienthong/api/consent by `make proto`."""
