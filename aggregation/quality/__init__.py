"""Scores each engine's answer and the merge, from what can be seen without a reference."""
