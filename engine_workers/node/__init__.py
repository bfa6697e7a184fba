"""What the supervisor of a machine's worker pools is made of."""
