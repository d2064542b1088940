"""What the notebooks say of their slides: metadata, numbers, what a hole takes, the pages made."""

import copy
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import content
import notebooks
import rendering
from notebook_rules import RESULT

DECKS = dict((path.name[:2], (path, notebook)) for path, notebook in content.decks())
KEYS = {"slide_type", "text", "show", "notes", "minutes"}
FULL = 14  # lines of output beside which a slide has no room for words


def problems(notebook) -> list[str]:
    """What is wrong with what a notebook says of its slides."""
    wrong = []
    slides = content.slides(notebook)
    if not 12 <= len(slides) <= 25:
        wrong.append(f"{len(slides)} slides")
    stored = "\n".join(everything(notebook))
    for slide in slides:
        text = content.text_of(slide.cells[0])
        if not text.startswith("# " if slide is slides[0] else "## "):
            wrong.append(f"{slide.id}: no heading")
        if len(slide.notes) < 20:
            wrong.append(f"{slide.id}: no notes")
        if not 0 < slide.minutes <= 15:
            wrong.append(f"{slide.id}: {slide.minutes} minutes")
        if 0 < lines_shown(slide) < FULL and not words_of(slide):
            wrong.append(f"{slide.id}: no words beside its output")
        for place, cell in enumerate(slide.cells):
            wrong += [f"{cell.id}: {each}" for each in of_cell(cell, place, stored)]
    asked = [s for s in slides if any(rendering.ASKS.search(content.text_of(c)) for c in s.cells)]
    if len(asked) < 3:
        wrong.append(f"{len(asked)} questions")
    outputs = [output for slide in slides for cell in slide.cells for output in content.shown(cell)]
    if not any("image/png" in output.get("data", {}) for output in outputs):
        wrong.append("no figure")
    return wrong


def words_of(slide) -> str:
    """What a slide says in words, headings apart."""
    text = "\n".join(content.text_of(cell) for cell in slide.cells)
    return re.sub(r"^#+ .*", "", text, flags=re.MULTILINE).strip()


def lines_shown(slide) -> int:
    """How many lines of printed output a slide shows."""
    outputs = [output for cell in slide.cells for output in content.shown(cell)]
    return sum(output.get("text", "").count("\n") for output in outputs)


def of_cell(cell, place: int, stored: str) -> list[str]:
    """What is wrong with what one cell says."""
    wrong, said = [], cell.metadata.slideshow
    if unknown := set(said) - KEYS:
        wrong.append(f"unknown: {sorted(unknown)}")
    if said.slide_type not in content.SLIDE_TYPES:
        wrong.append(f"slide_type {said.slide_type!r}")
    if place and {"notes", "minutes"} & set(said):
        wrong.append("notes or minutes, and no slide begins")
    if "show" in said and (cell.cell_type != "code" or said.show not in content.SHOWS):
        wrong.append(f"show {said.show!r}")
    words = re.sub(r"^#+ .*", "", content.text_of(cell), flags=re.MULTILINE).strip()
    code = cell.cell_type == "code" and (said.get("show") == "code" or content.shown(cell))
    if not (words or code) and place:
        wrong.append("shows nothing")
    for result in RESULT.findall(content.HOLE.sub("", said.get("text", ""))):
        if result not in stored:
            wrong.append(f"{result} is not in the notebook")
    return wrong


def everything(notebook):
    """The sources and printed outputs of a notebook."""
    for cell in notebook.cells:
        yield cell.source
        for output in cell.get("outputs", []):
            yield output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))


@pytest.mark.parametrize("number", DECKS)
def test_the_slides_of_a_notebook_are_in_order(number):
    _, notebook = DECKS[number]
    assert problems(notebook) == []
    slides = content.slides(notebook)
    assert (slides[0].id, slides[-1].id) == ("title", "key-points")


FAULTS = {
    "unknown": lambda said: said.update(minute=2),
    "slide_type": lambda said: said.update(slide_type="subslide"),
    "show": lambda said: said.update(show="code"),
    "no notes": lambda said: said.update(notes=""),
    "minutes": lambda said: said.update(minutes=0),
    "no heading": lambda said: said.update(text="no heading"),
    "is not in the notebook": lambda said: said.update(text="## So\n\nIt is 0.12345."),
}


@pytest.mark.parametrize("words", FAULTS)
def test_a_fault_is_found(words):
    _, notebook = copy.deepcopy(DECKS["00"])
    (cell,) = [cell for cell in notebook.cells if cell.id == "valley"]
    FAULTS[words](cell.metadata.slideshow)
    assert any(words in each for each in problems(notebook)), problems(notebook)


def test_an_output_without_words_is_found():
    _, notebook = copy.deepcopy(DECKS["11"])
    (cell,) = [cell for cell in notebook.cells if cell.id == "look"]
    cell.metadata.slideshow.text = "## A checkpoint of somebody else"
    assert problems(notebook) == ["look: no words beside its output"]


def test_too_few_slides_questions_and_figures_are_found():
    _, notebook = copy.deepcopy(DECKS["00"])
    notebook.cells = notebook.cells[:4]
    assert {"2 slides", "0 questions", "no figure"} <= set(problems(notebook))


def slide(source: str, **said) -> nbformat.NotebookNode:
    said = {"slide_type": "slide", **said}
    return new_markdown_cell(source, id="here", metadata={"slideshow": said})


SOURCE = (
    "Take $x = 0.5$. It is *so*. Smith et al. say 1.5 is much.\n\nMore? Yes\n\n$$\na\n\\tag{3}\n$$"
)


@pytest.mark.parametrize(
    ("hole", "taken"),
    [
        ("Take", "Take $x = 0.5$."),
        ("It is", "It is *so*."),
        ("Smith", "Smith et al. say 1.5 is much."),
        ("It is…", "It is *so*. Smith et al. say 1.5 is much."),
        ("More? Yes…", "More? Yes"),
        ("(3)", "$$\na\n\\tag{3}\n$$"),
    ],
)
def test_a_hole_takes(hole, taken):
    assert content.text_of(slide(SOURCE, text=f"{{{{{hole}}}}}!")) == taken + "!"


@pytest.mark.parametrize(
    ("hole", "says"),
    [("Nowhere", "0 times"), ("a", "times"), ("More? Yes", "no end"), ("(4)", "no equation")],
)
def test_a_hole_that_takes_nothing_is_refused(hole, says):
    with pytest.raises(ValueError, match=says):
        content.text_of(slide(SOURCE, text=f"{{{{{hole}}}}}"))


def test_the_first_cell_begins_a_slide():
    with pytest.raises(ValueError, match="first slide"):
        content.slides(new_notebook(cells=[slide("x", slide_type="fragment")]))


def test_the_normal_form_keeps_what_is_said_of_slides():
    notebook = new_notebook(cells=[slide("x", notes="n", minutes=1)])
    notebooks.normalise(notebook)
    assert notebook.cells[0].metadata == {
        "slideshow": {"slide_type": "slide", "notes": "n", "minutes": 1}
    }


class Plain:
    """Typesets nothing, so that these tests need no Node."""

    def html(self, tex: str, display: bool) -> str:
        return f"<i>{tex.strip()}</i>"


@pytest.fixture(scope="module")
def renderer():
    return rendering.Renderer(list(DECKS.values()), Plain())


def test_a_formula_in_words_is_joined(renderer):
    text = renderer.markdown.render("So ε = 0, at *0.999 · v*. `a = b` and 3 - 2")
    assert text == (
        "<p>So ε\xa0=\xa00, at <em>0.999\xa0·\xa0v</em>. <code>a = b</code> and 3 - 2</p>\n"
    )


@pytest.mark.parametrize("number", DECKS)
def test_a_deck_has_its_slides_with_addresses_and_notes(number, renderer):
    path, notebook = DECKS[number]
    page = renderer.deck(path, notebook)
    slides = content.slides(notebook)
    assert re.findall(r'<section [^>]*id="([\w-]+)"', page) == [each.id for each in slides]
    whole = f"{content.minutes(notebook):g}"
    assert page.count('<aside class="notes">') == len(slides)
    assert f"{whole} of {whole} min with this one" in page
    assert not re.search(r'(?:src|href)="(?:\w+:)?//', page)


def test_links_lead_to_slides_and_to_nothing_else(renderer):
    linked = "[here](00_start_here.ipynb#cell-id=rule), [there](00_start_here.ipynb#cell-id=doctor)"
    assert renderer.markdown.render(linked) == (
        '<p><a href="00_start_here.html#/rule">here</a>, there</p>\n'
    )


def test_code_is_shown_where_it_is_the_point(renderer):
    cell = new_code_cell(
        "secret = 1",
        id="code",
        outputs=[new_output("stream", text="shown\n")],
        metadata={"slideshow": {"slide_type": "slide", "text": "# T", "minutes": 1, "notes": "n"}},
    )
    path, _ = DECKS["00"]
    page = renderer.deck(path, new_notebook(cells=[cell]))
    assert "secret" not in page and "shown" in page
    cell.metadata.slideshow["show"] = "code"
    page = renderer.deck(path, new_notebook(cells=[cell]))
    assert "secret" in page and "shown" not in page


def test_the_list_states_the_minutes(renderer):
    page = renderer.index()
    for path, notebook in DECKS.values():
        size = f"{len(content.slides(notebook))} slides, {content.minutes(notebook):g} minutes"
        assert f'href="{path.stem}.html"' in page and size in page
