"""Generated from proto/lienthong/api/consent/v1 by `make proto`."""
