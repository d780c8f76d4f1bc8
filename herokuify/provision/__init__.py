"""What `herokuify bucket` does: what is wanted of a bucket, what is there, and the difference.

``wanted`` → ``found`` → ``plan`` (pure, one step for each thing that a bucket has) → ``apply``;
``iam`` writes the policies of the users who work with the bucket afterwards.
"""
