"""`python -m herokuify init`, for projects that don't have herokuify yet."""

import sys

from herokuify.init.command import main

sys.exit(main())
