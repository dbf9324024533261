"""What things cost: each against the usual way of doing it, in the same run and in turn."""
