"""``python -m propto``: the command line."""

import sys

from propto.cli import main

sys.exit(main())
