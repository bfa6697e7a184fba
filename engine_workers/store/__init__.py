"""The models directory: what lies there, where it came from, whether it is still the same."""
