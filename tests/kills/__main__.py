"""`python -m tests.kills N`: see tests/kills/commands.py."""

import sys

from tests.kills.commands import main

sys.exit(main())
