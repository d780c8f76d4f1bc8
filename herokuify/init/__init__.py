"""`python -m herokuify init`: what it would take to move a project, as a diff.

Settings are read and never run: `source` parses them, `block` decides which lines go to their end,
`files` what Heroku needs besides, and `command` shows or writes it.
"""
