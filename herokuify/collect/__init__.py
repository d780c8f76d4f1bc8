"""collectstatic: a pipeline of local files → remote objects → plan → upload → publish.

`herokuify.collect.project` reads Django's settings, and describes the static files and their
destination as plain data. `engine.Collection` runs the pipeline.
"""
