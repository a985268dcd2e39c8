"""Generated from proto/lienthong/api/types by `make proto`."""
