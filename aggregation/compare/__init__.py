"""Measures how far the engines agree, and lists where they do not."""
