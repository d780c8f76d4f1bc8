"""Amazon S3 and S3-compatible services: clients, uploads, reads, headers, policies and errors.

This package uses no Django settings, storage classes or collectstatic code: callers pass a
`destination.Destination`. boto3, botocore and urllib3 are imported only here, inside functions,
when a request is made.
"""
