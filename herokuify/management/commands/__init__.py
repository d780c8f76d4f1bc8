"""Management commands; ``collectstatic`` replaces Django's."""
