"""How well the merge does on real outputs of several engines with references."""
