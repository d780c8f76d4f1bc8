"""Live probes: whether all that the settings name answers, and as they say."""
