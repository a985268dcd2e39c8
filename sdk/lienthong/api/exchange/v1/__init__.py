"""Generated from proto/lienthong/api/exchange/v1 by `make proto`."""
