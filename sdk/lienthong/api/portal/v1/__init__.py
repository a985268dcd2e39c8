"""Generated from proto/lienthong/api/portal/v1 by `make proto`."""
