"""Generated from proto/lienthong/api/rights by `make proto`."""
