"""The citizen's journey, told step by step while it runs."""
