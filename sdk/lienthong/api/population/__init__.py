"""Generated from proto/lienthong/api/population by `make proto`."""
