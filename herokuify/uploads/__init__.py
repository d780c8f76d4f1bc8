"""Direct uploads from the browser to S3, without the dyno, for any FileField.

A token allows a browser to write one object below ``pending/``. The form submits the token in
place of the file. The object is checked when the form is cleaned, and copied within S3 to its
final name when the model is saved.
"""
