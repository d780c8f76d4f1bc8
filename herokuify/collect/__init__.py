"""The collectstatic engine: local → remote → plan → upload → publish, on plain data.

Knows no Django settings: `herokuify.collect.project` describes a project's static
files and their place on S3, and `engine.Collection` brings the two together.
"""
