"""The commands `compare`, `merge`, `evaluate`."""
