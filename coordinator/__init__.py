"""The thin centre: accepts jobs, publishes chords, answers questions."""
