"""Generated from proto/lienthong/api/errors/v1 by `make proto`."""
