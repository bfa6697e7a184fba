"""Many recordings submitted together: filled, followed, changed, exported."""
