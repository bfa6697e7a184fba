"""Shows, explains, checks, edits the configuration file."""
