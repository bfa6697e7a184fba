"""Reads transcripts from files of other programs."""
