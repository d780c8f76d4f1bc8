"""Live probes: whether the services that the settings name work as configured."""
