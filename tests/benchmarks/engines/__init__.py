"""The parts of the benchmark of what lies between a recording and its engines."""
