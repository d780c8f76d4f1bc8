"""Management commands; ``collectstatic`` takes the place of Django's."""
