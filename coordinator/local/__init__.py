"""The embedded stack: servers and roles as child processes of one supervisor."""
