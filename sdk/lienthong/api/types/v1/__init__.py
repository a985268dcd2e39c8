"""Generated from proto/lienthong/api/types/v1 by `make proto`."""
