"""The only place where a recording's bytes are interpreted."""
