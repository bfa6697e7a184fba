"""Readers of the metrics that alerts watch."""
