"""Say in one sentence that this Python is too old, before a newer file's syntax says it in riddles.
Must parse on Python 3.6.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this is the one place that an older one reaches
    have = ".".join(str(number) for number in sys.version_info[:3])
    sys.exit(
        f"refocus: error: Python 3.11 or newer is needed, {sys.executable} is {have}; make the environment"
        " again with a newer one (make venv PYTHON=python3.12)"
    )
