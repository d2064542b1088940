"""What installs the hub's proxy is the site's."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "docs" / "site"))
collect_ignore = ["jupyterhub_config.py"]  # the hub reads it, and a doctest would import it
