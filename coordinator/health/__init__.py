"""Whether the whole of it is well."""
