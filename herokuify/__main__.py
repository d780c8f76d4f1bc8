"""`python -m herokuify init`, for projects that don't have herokuify yet."""

import sys

from herokuify.init.command import main

if __name__ == "__main__":
    sys.exit(main())
