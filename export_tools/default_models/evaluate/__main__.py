"""`python -m export_tools.default_models.evaluate`."""

import sys

from export_tools.default_models.evaluate.cli import main

sys.exit(main())
