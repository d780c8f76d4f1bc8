"""Permanent URLs of private uploads: a view that checks permission and redirects to S3."""
