"""Runs in the `megadetector` package's own environment: its verdict on a results file, as JSON.

Its command line prints nothing and exits with 0 even on errors, so its function is called.
"""

import json
import sys

from megadetector.postprocessing.validate_batch_results import validate_batch_results

verdict = validate_batch_results(sys.argv[1])["validation_results"]
print(json.dumps({"errors": verdict["errors"], "warnings": verdict["warnings"]}))
