"""What `herokuify bucket` does: what is desired of a bucket, what is there, and the difference.

``desired`` and ``current`` → ``plan`` (pure, one step for each thing of a bucket) → ``apply``;
``iam`` writes the policies of the users who work with the bucket afterwards.
"""
