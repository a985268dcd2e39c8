"""What the contracts say: which methods there are, what policy each field has, and where in a message things stand."""
