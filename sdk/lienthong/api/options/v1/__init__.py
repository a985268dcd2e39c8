"""Generated from proto/lienthong/api/options/v1 by `make proto`."""
