# Types of grpcio-status, which ships none; those that others publish for it leave out what it returns.
