"""Writes a report as a file of some format."""
