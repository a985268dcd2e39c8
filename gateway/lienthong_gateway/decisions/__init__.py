"""The decision whether data may pass: pure functions on what is registered and what was consented to."""
