"""Chooses the words of the merged transcript, then writes them as a person would."""
