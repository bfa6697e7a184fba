"""A discrete-event simulator that drives the real admission on a real Postgres."""
