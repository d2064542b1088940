"""Draw the picture of the README: what one step of Adam does, for every gradient and eps.

    python tools/picture.py [file]

The data and the drawing are those of notebook 03; nothing is drawn by hand.
"""

import sys
from pathlib import Path

import numpy as np

from adamlib.experiments import first_step_map
from adamlib.figures import plot_first_step_map, png

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "first_step_map.png"


def draw(path: Path) -> None:
    """Write the picture to a file."""
    path.write_bytes(png(plot_first_step_map(first_step_map(np.float32)))[0])


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if sys.argv[1:] else PICTURE)
