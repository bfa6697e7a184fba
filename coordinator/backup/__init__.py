"""How an installation is kept elsewhere, brought back, moved to servers."""
