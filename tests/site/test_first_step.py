"""The first step as the browser computes it, held to `adamlib`: to the bit, and in words."""

import numpy as np
import pytest
import torch
from playwright.sync_api import Page

import map_picture
from adamlib.experiments import classify_first_step, first_step, first_step_map
from adamlib.experiments.unit_steps import each_step
from adamlib.floats import float_format, round_to
from built import SITE

FORMATS = ("float16", "bfloat16", "float32", "float64")
BETAS2 = (0.9, 0.99, 0.999, 0.9999)
VECTORS = 4000  # for each format and β₂


@pytest.fixture(scope="module")
def page(browser) -> Page:
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.goto((SITE / "index.html").as_uri())
    yield page
    page.close()


def vectors(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Gradients and eps of all sizes that matter in a format: zeros and subnormals, too."""
    rng = np.random.default_rng(0)
    kind = float_format(name)
    low, high = np.log10(kind.smallest_subnormal), np.log10(kind.max)
    grads = 10 ** rng.uniform(low - 1, high / 2 + 2, VECTORS) * rng.choice([-1, 1], VECTORS)
    eps = 10 ** rng.uniform(low - 1, min(high, 4), VECTORS)
    close = rng.random(VECTORS) < 0.5  # near |g|, where the step is neither 0 nor 1
    eps[close] = np.abs(grads[close]) * 10 ** rng.uniform(-3, 3, close.sum())
    grads[:40] = 0.0
    eps[20:400] = 0.0
    eps = np.minimum(eps, kind.max)
    return np.asarray(round_to(grads, name)), np.asarray(round_to(eps, name))


def steps_of_adamlib(name: str, grads: np.ndarray, eps: np.ndarray, beta2: float) -> np.ndarray:
    """In NumPy; in torch for bfloat16, which NumPy has not."""
    if name != "bfloat16":
        return first_step(grads.astype(name), eps.astype(name), (0.9, beta2)).astype(float)
    as_torch = [torch.from_numpy(each).to(torch.bfloat16) for each in (grads, eps)]
    step, _ = next(each_step(as_torch[0][None], eps=as_torch[1], betas=(0.9, beta2)))
    return step.double().numpy()


def in_browser(page: Page, name: str, grads, eps, beta2: float, what: str) -> list:
    """Numbers travel as text: JSON knows neither NaN nor infinity."""
    return page.evaluate(
        "([grads, eps, beta2, format, what]) => grads.map((grad, i) =>"
        " String(firstStep(grad, eps[i], beta2, format)[what]))",
        [grads.tolist(), eps.tolist(), beta2, name, what],
    )


def test_rounding_is_that_of_the_formats(page):
    rng = np.random.default_rng(1)
    for name in FORMATS:
        numbers = 10 ** rng.uniform(-50, 39, 5000) * rng.choice([-1, 1], 5000)
        halves = np.arange(1, 2000) * float_format(name).smallest_subnormal / 2
        numbers = np.concatenate([numbers, halves, [float_format(name).max * 1.001, 65519, 65520]])
        found = page.evaluate(
            "([numbers, format]) => numbers.map(x => String(roundTo(x, format)))",
            [numbers.tolist(), name],
        )
        assert np.array_equal([float(x) for x in found], round_to(numbers, name)), name


@pytest.mark.parametrize("beta2", BETAS2)
@pytest.mark.parametrize("name", FORMATS)
def test_steps_are_equal_to_the_bit(name, beta2, page):
    grads, eps = vectors(name)
    found = np.array([float(x) for x in in_browser(page, name, grads, eps, beta2, "step")])
    wanted = steps_of_adamlib(name, grads, eps, beta2)
    different = ~((found == wanted) | (np.isnan(found) & np.isnan(wanted)))
    first = np.flatnonzero(different)[:3]
    assert not different.any(), [each[first] for each in (grads, eps, found, wanted)]


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "bfloat16"])
def test_outcomes_have_the_same_names(name, page):
    grads, eps = vectors(name)
    found = in_browser(page, name, grads, eps, 0.999, "outcome")
    assert found == classify_first_step(grads.astype(name), eps.astype(name)).tolist()


def test_the_whole_map_is_that_of_adamlib(page):
    data = first_step_map(
        np.float32, map_picture.GRAD_DECADES, map_picture.EPS_DECADES, map_picture.PER_DECADE
    )
    found = page.evaluate(
        "([grads, rows]) => rows.map(eps => outcomes(grads, eps, 0.999, 'float32'))",
        [data.grads.tolist(), data.eps.tolist()],
    )
    assert found == data.outcomes.tolist()


def test_redrawn_the_map_is_as_it_was_built(page):
    shape = (
        "[...document.querySelectorAll('.regions path')]"
        ".map(path => [path.className.baseVal, path.getAttribute('d')]).sort()"
    )
    built = page.evaluate(shape)
    for format in ("float16", "float32"):
        page.get_by_label("format").select_option(format)
    assert page.evaluate(shape) == built


def says(page: Page) -> str:
    return page.locator(".says").inner_text()


def test_the_keyboard_moves_it(page):
    page.get_by_role("slider", name="eps").focus()
    page.keyboard.press("Home")
    assert page.get_by_role("slider", name="eps").get_attribute("aria-valuetext") == "0"
    page.get_by_role("slider", name="gradient").focus()
    page.keyboard.press("Home")
    assert says(page).startswith("Not a number.") and "0/0" in says(page)
    page.keyboard.press("End")
    assert says(page).startswith("Fine. The step is 1 times lr.")


@pytest.mark.parametrize(
    ("x", "y", "word"),
    [(0.9, 0.6, "Fine"), (0.6, 0.9, "Arbitrary"), (0.3, 0.9, "Too long"), (0.3, 0.1, "Held back")],
)
def test_the_mouse_points_at_it(x, y, word, page):
    box = page.locator("svg.map").bounding_box()
    scale = box["width"] / 760
    left, top = map_picture.LEFT * scale, map_picture.TOP * scale
    page.mouse.move(
        box["x"] + left + x * map_picture.WIDTH * scale,
        box["y"] + top + y * map_picture.HEIGHT * scale,
    )
    assert says(page).startswith(word)


def test_a_finger_points_at_it(browser):
    context = browser.new_context(has_touch=True, viewport={"width": 360, "height": 780})
    page = context.new_page()
    page.goto((SITE / "index.html").as_uri())
    svg = page.locator("svg.map")
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * 0.88, box["y"] + box["height"] * 0.7)
    assert says(page).startswith("Fine")
    context.close()


def test_without_scripts_the_map_is_there(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((SITE / "index.html").as_uri())
    assert page.locator(".regions path").count() == 6
    assert not page.locator(".controls").is_visible()
    context.close()
