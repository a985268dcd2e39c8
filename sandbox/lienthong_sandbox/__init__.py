"""What a user starts: a whole isolated world, and the command that runs it."""
