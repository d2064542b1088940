"""What matplotlib writes to stderr at its first start, or without a home folder: unsaid.

`python -m adamlib doctor` says it, with advice; in the output of a cell it would look like a fault.
"""

import logging

UNSAID = (
    "mkdir -p failed for path",
    "Matplotlib created a temporary cache directory",
    "Matplotlib is building the font cache",
)


def is_said(record: logging.LogRecord) -> bool:
    """Whether a message is any other."""
    return not str(record.msg).startswith(UNSAID)


for name in ("matplotlib", "matplotlib.font_manager"):
    logging.getLogger(name).addFilter(is_said)
