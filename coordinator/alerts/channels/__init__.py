"""The channels that alerts are told by."""
