"""Guards each Python that tests.project starts: Python imports this module by its name."""

from tests.sandbox import loopback_only

loopback_only.install()
