"""Generated from proto/lienthong/api/rights/v1 by `make proto`."""
