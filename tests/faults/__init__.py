"""The fault bench: what users get wrong, each fault made for real, and what is said of it."""
