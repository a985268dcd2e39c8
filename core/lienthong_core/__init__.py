"""What every Liên Thông server needs: configuration, clock, errors, keys, databases, gRPC and HTTP."""
