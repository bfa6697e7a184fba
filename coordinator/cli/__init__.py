"""The `chordscribe` command."""
