"""Compares what the engines heard, scores it, recommends one, merges them."""
