"""Amazon S3 and services like it: all that speaks their protocol.

Knows no Django setting, no storage class and nothing of collectstatic: it takes a
`destination.Destination`. boto3, botocore and urllib3 are imported here alone, inside functions,
when a request is really made.
"""
