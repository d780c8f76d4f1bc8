"""Direct uploads: from the browser to S3, without the dyno, in any FileField.

A browser may write one object below ``pending/``, for which it gets a token. The form that the
token comes back with claims the object: it is checked when the form is cleaned, and copied within
S3 to its name when the model is saved.
"""
