"""Generated from proto/lienthong/api/population/v1 by `make proto`."""
