"""The parts of the benchmark of storage: each `part_NAME.py` has a function `measure(quick)`."""
