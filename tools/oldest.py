"""Print the lower bounds of pyproject.toml as exact versions, for pip's --constraint.

python tools/oldest.py > oldest.txt
"""

import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def oldest(path: Path = PYPROJECT) -> list[str]:
    """`name==version` for the oldest version allowed of each direct dependency."""
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    requirements = list(project["dependencies"])
    for extra in ("light", "course", "test"):
        requirements += project["optional-dependencies"][extra]
    # an extra that names another of ours has no version of its own
    ours = f"{project['name']}["
    return [each.replace(">=", "==") for each in requirements if not each.startswith(ours)]


if __name__ == "__main__":
    print("\n".join(oldest()))
