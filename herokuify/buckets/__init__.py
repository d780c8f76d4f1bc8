"""The implementation of `herokuify bucket`: desired state, current state and the difference.

``desired`` and ``current`` → ``plan`` (pure, one step for each thing of a bucket) → ``apply``;
``iam`` writes the policies of the users who work with the bucket afterwards.
"""
