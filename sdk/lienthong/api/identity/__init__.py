"""Generated from proto/lienthong/api/identity by `make proto`."""
