"""What is seen of the gateway from outside: metrics, traces, one log line an exchange. Nothing personal is in any."""
