"""Finds where an engine invented words, and where it missed speech."""
