"""Build the slides of every notebook, from its stored outputs; nothing is executed.

    python docs/slides/build_slides.py [folder]      (default: build/slides)

What stands on them is in the notebooks (content.py). The folder works from a disk, without a
network: reveal.js and the fonts lie beside the decks, in `reveal`, and Node typesets the formulas
here, with the packages of the site.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent

sys.path[:0] = [str(HERE), str(ROOT / "docs" / "site"), str(ROOT / "tools")]

import content  # noqa: E402
import map_picture  # noqa: E402
import packages  # noqa: E402
import rendering  # noqa: E402
from adamlib.figures import colours  # noqa: E402
from typesetting import Typesetter  # noqa: E402

SANS = [f"source-sans-3-{part}-{style}" for part in ("latin", "greek")
        for style in ("400-normal", "400-italic", "600-normal")]  # fmt: skip
FALLBACK = ("DejaVuSans.ttf", "DejaVuSansMono.ttf")  # they have every sign that the course uses


def colour_style() -> str:
    """The colours of the course that slides.css names."""
    names = ("INK", "MUTED", "BLUE", "GREEN", "VIOLET", "VERMILION")
    lines = [f"  --{name.lower()}: {getattr(colours, name)};" for name in names]
    return "\n".join([":root {", *lines, "}", ""])


def write_reveal(folder: Path, modules: Path, typesetter: Typesetter) -> None:
    """Write what all decks share: reveal.js, styles, fonts and the sign of the course."""
    (folder / "fonts").mkdir(parents=True)
    for name in ("reveal.js", "reveal.css", "plugin/notes.js"):
        shutil.copy(modules / "reveal.js" / "dist" / name, folder)
    for name in SANS:
        shutil.copy(modules / "@fontsource/source-sans-3/files" / f"{name}.woff2", folder / "fonts")
    for name in FALLBACK:
        shutil.copy(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, folder / "fonts")
    style = [map_picture.region_style(), colour_style()]
    style += [(HERE / name).read_text(encoding="utf-8") for name in ("fonts.css", "slides.css")]
    (folder / "slides.css").write_text("\n".join(style), encoding="utf-8")
    sign = map_picture.logo()
    (folder / "map.svg").write_text(sign, encoding="utf-8")
    cover = sign.replace("<svg ", '<svg preserveAspectRatio="none" ', 1)  # fills half a slide
    (folder / "cover.svg").write_text(cover, encoding="utf-8")
    typesetter.write_style(folder)


def build(target: Path) -> None:
    """Write all decks, their list, and what they share."""
    modules = packages.install()
    decks = list(content.decks())
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    typesetter = Typesetter(packages.FOLDER, refused=rendering.refuse)
    try:
        renderer = rendering.Renderer(decks, typesetter)
        for path, notebook in decks:
            page = target / f"{path.stem}.html"
            page.write_text(renderer.deck(path, notebook), encoding="utf-8")
        (target / "index.html").write_text(renderer.index(), encoding="utf-8")
        write_reveal(target / "reveal", modules, typesetter)
    finally:
        typesetter.end()


def main(argv: Sequence[str] = sys.argv[1:]) -> int:
    target = Path(argv[0] if argv else ROOT / "build" / "slides").resolve()
    build(target)
    print(f"the slides are in {target}: open {target / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
