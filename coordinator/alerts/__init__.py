"""Alerts: what is measured, when it is too much, who is told."""
