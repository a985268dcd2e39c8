"""The gateway over HTTPS: the same calls as JSON (Connect), their OpenAPI document, metrics, the log's tiles."""
