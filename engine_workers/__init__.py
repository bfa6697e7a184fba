"""The engines and the worker processes that run them."""
