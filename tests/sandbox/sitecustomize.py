"""Guards each process that tests.project starts: Python imports this module at start-up."""

from tests.sandbox import loopback_only

loopback_only.install()
