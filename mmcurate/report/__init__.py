"""What became of every row, from a run's tables."""
