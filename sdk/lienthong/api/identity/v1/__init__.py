"""Generated from proto/lienthong/api/identity/v1 by `make proto`."""
