"""Formulas as HTML, typeset by MathJax in a process of its own, for as long as a build takes."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

TAG = re.compile(r"\\tag\{(\w+)\}")
SOURCE = re.compile(r' data-(?:latex|semantic-[\w-]+|mjx-texclass)="[^"]*"')
SHOWN = '<mjx-container aria-hidden="true"'
FONT = re.compile(r"fonts/(mjx-[\w-]+\.woff2)")
LOADS = 'format("woff2");'
FONTS = "node_modules/@mathjax/mathjax-newcm-font/chtml/woff2"


class Typesetter:
    """For a screen reader each formula comes as MathML too, which is not shown.

    `refused` is called with each formula that MathJax refuses.
    """

    def __init__(self, packages: Path, refused: Callable[[str], object]) -> None:
        self.packages, self.refused = packages, refused
        self.process = subprocess.Popen(
            ["node", str(Path(__file__).with_name("mathematics.mjs")), str(packages)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        self.known: dict[tuple[str, bool], str] = {}

    def ask(self, **question: object) -> dict[str, str]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("MathJax ended before it was asked everything")
        return json.loads(line)

    def html(self, tex: str, display: bool) -> str:
        if (tex, display) not in self.known:
            found = self.ask(tex=tex, display=display)
            if "<merror" in found["mathml"]:
                self.refused(tex)
            shown = SOURCE.sub("", found["html"]).replace("<mjx-container", SHOWN, 1)
            spoken = re.sub(r">\s+<", "><", SOURCE.sub("", found["mathml"]))
            self.known[tex, display] = f'{shown}<span class="spoken">{spoken}</span>'
        return self.known[tex, display]

    def write_style(self, folder: Path) -> None:
        """Write the style sheet for what was typeset, and the fonts that it names.

        Text does not wait for them: until they are there a formula is shown in another font.
        """
        css = self.ask(css=True)["css"].replace(LOADS, f"{LOADS} font-display: swap;")
        (folder / "mathematics.css").write_text(css, encoding="utf-8")
        (folder / "fonts").mkdir(exist_ok=True)
        for name in sorted(set(FONT.findall(css))):
            (folder / "fonts" / name).write_bytes((self.packages / FONTS / name).read_bytes())

    def end(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=30)
