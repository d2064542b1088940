"""The figures that move: by mouse, finger and keyboard, and each number as `adamlib` has it."""

import base64
import json
import re

import numpy as np
import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page

import notebooks
import play
import rules
from adamlib import DIALECTS, adam_step, init_state
from adamlib.experiments import denominators, sweep
from adamlib.identification.reading.rules import follow
from adamlib.problems import narrow_valley, random_two_layer_net
from built import SITE
from drawing import STILL
from test_adam_js import normal_form

NOTEBOOK = "notebooks/05_epsilon_is_a_hyperparameter.html"
PAGES = ("play/valley.html", "play/two-orders.html", "play/eps-map.html", NOTEBOOK)
DATA = "JSON.parse(document.querySelector('.play script.data').textContent)"


def opened(browser: Browser, name: str, **options) -> Page:
    page = browser.new_page(**({"viewport": {"width": 1280, "height": 1100}} | options))
    page.goto((SITE / name).as_uri())
    return page


@pytest.fixture(scope="module")
def valley(browser):
    page = opened(browser, "play/valley.html")
    yield page
    page.close()


@pytest.fixture(scope="module")
def orders(browser):
    page = opened(browser, "play/two-orders.html")
    yield page
    page.close()


@pytest.fixture(scope="module")
def eps_map(browser):
    page = opened(browser, "play/eps-map.html")
    yield page
    page.close()


def says(page: Page) -> str:
    return page.locator(".says").inner_text()


def set_slider(page: Page, name: str, value: float) -> None:
    page.locator(f"input[name={name}]").evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }",
        str(value),
    )


def soup(name: str) -> BeautifulSoup:
    return BeautifulSoup((SITE / name).read_text(encoding="utf-8"), "html.parser")


# ---- the valley ----


def walked(page: Page, change: dict, settings: dict, steps: int) -> np.ndarray:
    """Numbers travel as text: JSON knows neither NaN nor infinity."""
    rows = page.evaluate(
        f"asked => descend({DATA}, ...asked).points.map(String)", [change, settings, steps]
    )
    return np.array([[float(each) for each in row.split(",")] for row in rows])


def walked_here(name: str, settings: dict, steps: int) -> np.ndarray:
    problem = narrow_valley()
    point, state = problem.start_copy(), init_state(problem.start)
    betas = settings["beta1"], settings["beta2"]
    points = [point]
    for _ in range(steps):
        point, state = adam_step(
            point, problem.gradient(point), state,
            lr=settings["lr"], betas=betas, eps=settings["eps"], dialect=name,
        )  # fmt: skip
        points.append(point)
    return np.array(points)


@pytest.mark.parametrize("lr", [0.1, 2.0])
@pytest.mark.parametrize("eps", [0.0, 1e-8, 1.0])
def test_every_dialect_walks_the_same_way_to_the_bit(lr, eps, valley):
    settings = dict(lr=lr, beta1=0.9, beta2=0.999, eps=eps)
    for name, dialect in DIALECTS.items():
        found = walked(valley, rules.of_dialect(dialect), settings, play.MOST_STEPS)
        wanted = walked_here(name, settings, play.MOST_STEPS)
        if dialect.eps_placement == "none":  # atan2 of a browser is another than C's
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)
        else:
            np.testing.assert_array_equal(found, wanted)


def test_a_mistake_in_the_valley_is_that_of_identify(valley):
    """Step by step, from where the browser stands: two parameters of one number each."""
    settings = dict(lr=0.1, beta1=0.9, beta2=0.999, eps=1e-8)
    for slug, (_, change) in rules.mistakes().items():
        points = walked(valley, change, settings, 60)
        there = points[np.isfinite(points).all(axis=1)]
        gradients = there * play.CURVATURES
        wanted = follow(
            normal_form(slug, "paper", settings), np.array(play.START), gradients, np.arange(2)
        )[: len(there)]
        size = np.maximum.accumulate(np.abs(wanted))
        assert (np.abs(there - wanted) / np.maximum(size, 1.0)).max() < 1e-12, slug


def test_the_drawing_is_as_it_was_built(browser):
    """Before anybody moves anything: the same lines, from Python and from the browser."""
    for name in PAGES[:3]:
        still = [each.get("d") for each in soup(name).select(".play svg path")]
        page = opened(browser, name)
        moved = page.evaluate(
            "[...document.querySelectorAll('.play svg path')].map(path => path.getAttribute('d'))"
        )
        page.close()
        assert len(still) > 8
        assert moved == still, name


def test_the_catalogue_is_offered_whole():
    page = soup("play/valley.html")
    offered = [each["value"] for each in page.select("select[name=mistake] option")]
    assert offered == ["", *rules.mistakes()]
    assert len(offered) > 40
    names = [each.get_text() for each in page.select("select[name=dialect] option")]
    assert names == list(DIALECTS)


def test_the_valley_says_where_the_run_stands(valley):
    wanted = walked_here("pytorch", dict(lr=0.1, beta1=0.9, beta2=0.999, eps=1e-8), 60)
    distance = np.linalg.norm(wanted[-1])
    assert f"After 60 steps the run stands {distance:.3g} from the minimum." in says(valley)
    assert "Its loss began at 33 and is" in says(valley)


def test_a_dialect_and_a_mistake_are_chosen(valley):
    valley.get_by_label("dialect").select_option("keras")
    assert DIALECTS["keras"].quotient in says(valley)
    valley.get_by_label("mistake").select_option("step-starts-at-0")
    assert "The first step has t = 0" in says(valley)
    assert "is no number any more, from step 1 on" in says(valley)
    assert valley.locator(".play.mistaken .path.right").get_attribute("d")
    valley.get_by_label("dialect").select_option("bert")  # corrects nothing
    assert "the mistake changes nothing" in says(valley)
    valley.get_by_label("mistake").select_option("ascent")
    assert "has left the picture" in says(valley)
    valley.get_by_label("mistake").select_option("")
    valley.get_by_label("dialect").select_option("pytorch")
    assert not valley.locator(".play.mistaken").count()


def test_the_keyboard_moves_the_valley(valley):
    slider = valley.get_by_role("slider", name="steps")
    slider.focus()
    outline = slider.evaluate("each => getComputedStyle(each).outlineStyle")
    assert outline != "none"
    valley.keyboard.press("Home")
    assert says(valley).split("\n")[1].startswith("After 1 step the run")
    valley.keyboard.press("ArrowRight")
    assert "After 2 steps" in says(valley)
    valley.get_by_role("slider", name="lr").focus()
    valley.keyboard.press("Home")
    assert valley.get_by_role("slider", name="lr").get_attribute("aria-valuetext") == "1e-4"
    valley.get_by_role("slider", name="eps", exact=True).focus()
    valley.keyboard.press("Home")
    assert (
        valley.get_by_role("slider", name="eps", exact=True).get_attribute("aria-valuetext") == "0"
    )
    set_slider(valley, "lr", -1)
    set_slider(valley, "eps", -8)
    set_slider(valley, "steps", 60)


def at_panel(page: Page, selector: str, panel, x: float, y: float) -> tuple[float, float]:
    """Where shares of a panel's width and height are on the screen."""
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    wide = float(page.locator(selector).get_attribute("viewBox").split()[2])
    scale = box["width"] / wide
    return (
        box["x"] + (panel.left + x * panel.width) * scale,
        box["y"] + (panel.top + y * panel.height) * scale,
    )


def test_the_mouse_points_at_the_valley(valley):
    valley.mouse.move(*at_panel(valley, "svg.losses", play.LOSS, 0.5, 0.5))
    (step,) = re.findall(r"After (\d+) steps", says(valley))
    assert abs(int(step) - 150) <= 2
    start = (-4 - play.VALLEY.x[0]) / (play.VALLEY.x[1] - play.VALLEY.x[0])
    valley.mouse.move(*at_panel(valley, "svg.valley", play.VALLEY, start, 0.19))
    assert "After 1 step the run" in says(valley)
    set_slider(valley, "steps", 60)


# ---- the orders of AMSGrad ----


@pytest.mark.parametrize(("spike", "at"), [(100, 1), (1000, 30), (2, 500)])
@pytest.mark.parametrize("beta2", [0.9, 0.999])
def test_the_orders_are_those_of_adamlib(spike, at, beta2, orders):
    gradients = np.ones(play.LAST)
    gradients[at - 1] = spike
    for name, (_, dialect, amsgrad) in play.order_rules().items():
        found = orders.evaluate(
            f"asked => denominators({DATA}.rules['{name}'], ...asked)",
            [beta2, spike, at, play.LAST],
        )
        wanted = denominators(gradients, betas=(0.9, beta2), amsgrad=amsgrad, dialect=dialect)
        np.testing.assert_allclose(found, wanted, rtol=1e-15)


def test_the_orders_say_what_the_notebook_prints(orders):
    set_slider(orders, "step", np.log10(500))
    words = says(orders)
    for words_of_it in ("Adam 4.05", "PyTorch's AMSGrad 5.04", "optax's 100", "the paper's 3.16"):
        assert words_of_it in words
    assert "19.8 times as short" in words


def test_late_the_orders_agree(orders):
    slider = orders.get_by_role("slider", name="at step")
    slider.focus()
    orders.keyboard.press("End")
    set_slider(orders, "step", np.log10(5000))
    assert slider.get_attribute("aria-valuetext") == "1000"
    (ratio,) = re.findall(r"Optax's steps are ([\d.]+) times", says(orders))
    assert 1 < float(ratio) < 1.3
    orders.keyboard.press("Home")
    orders.mouse.move(*at_panel(orders, "svg.orders", play.ORDERS, 0.0, 0.5))
    assert says(orders).startswith("At step 1 ")
    assert "divide by the same" in says(orders)


# ---- the map of eps and the learning rate ----


def test_every_run_of_the_map_is_that_of_adamlib(eps_map):
    """All 880: the losses of 150 steps, some of them unstable; sums are in another order."""
    rates, epsilons = np.logspace(-4, 3, 22), np.logspace(-9, 4, 40)
    net = random_two_layer_net(n=32, d_in=20, h=16, d_out=2)
    wanted = sweep(net, steps=150, lr=rates, eps=epsilons).losses
    found = eps_map.evaluate(
        f"() => {{ const data = {DATA}; return data.rates.map(lr => data.eps.map(eps =>"
        " train(data.net, lr, eps, data.steps))); }"
    )
    apart = np.abs(np.array(found) / wanted - 1)
    assert apart.shape == (22, 40, 150)
    assert apart[..., 0].max() < 1e-14
    assert apart.max() < 1e-5


def test_the_map_says_what_a_cell_came_to(eps_map):
    assert "ε = 1e-8" in says(eps_map) and "The loss falls to 5.7e-8" in says(eps_map)
    eps_map.mouse.move(*at_panel(eps_map, "svg.map-of-eps", play.MAP, 0.3, 0.05))
    assert "times as high as it began" in says(eps_map)
    eps_map.mouse.move(*at_panel(eps_map, "svg.map-of-eps", play.MAP, 0.97, 0.6))
    assert "It hardly trains." in says(eps_map) and "only α/ε counts" in says(eps_map)


def test_the_keyboard_walks_over_the_map(eps_map):
    slider = eps_map.get_by_role("slider", name="ε")
    slider.focus()
    eps_map.keyboard.press("Home")
    eps_map.get_by_role("slider", name="α").focus()
    eps_map.keyboard.press("End")
    assert "α = 1.0e3" in says(eps_map).replace("1e3", "1.0e3")
    eps_map.keyboard.press("ArrowLeft")
    assert "α = 464, ε = 1e-9" in says(eps_map)
    assert slider.get_attribute("aria-valuetext") == "1e-9"


# ---- the slider of notebook 05 ----


def test_the_first_picture_of_the_slider_is_the_notebook_s():
    (path,) = notebooks.FOLDER.glob("05_*.ipynb")
    (cell,) = [cell for cell in notebooks.read(path).cells if cell.id == "the-slider"]
    stored = base64.b64decode(cell.outputs[0].data["image/png"])
    data = json.loads(soup(NOTEBOOK).select_one(".frames script.data").get_text())
    (first,) = [frame for frame in data["frames"] if frame["value"] == "1"]
    assert (SITE / NOTEBOOK).parent.joinpath(first["picture"]).read_bytes() == stored
    assert len(data["frames"]) == 14


def test_the_slider_fetches_a_picture_when_it_is_chosen(browser):
    page = browser.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.goto((SITE / NOTEBOOK).as_uri())
    slider = page.get_by_role("slider", name="ε")
    slider.scroll_into_view_if_needed()
    assert not [name for name in asked if name.startswith("epsilon-")]
    image = page.locator("a.image-reference:has(+ .play.frames) img, img").nth(0)
    slider.focus()
    page.keyboard.press("End")
    page.wait_for_function(
        "[...document.images].some(each => each.src.endsWith('epsilon-13.png') && each.complete)"
    )
    assert [name for name in asked if name.startswith("epsilon-")] == ["epsilon-13.png"]
    assert slider.get_attribute("aria-valuetext") == "1e4"
    assert "With ε = 1e4" in says(page) and image
    sizes = page.evaluate(
        "[...document.images].filter(each => each.src.includes('epsilon'))"
        ".map(each => [each.naturalWidth, each.getBoundingClientRect().height])"
    )
    assert len(sizes) == 1 and sizes[0][0] > 1000 and sizes[0][1] > 200
    page.close()


# ---- all of them ----


@pytest.mark.parametrize("name", PAGES)
def test_a_finger_moves_it(name, browser):
    context = browser.new_context(has_touch=True, viewport={"width": 360, "height": 780})
    page = context.new_page()
    page.goto((SITE / name).as_uri())
    target = page.locator(".play svg, .play input").first
    target.scroll_into_view_if_needed()
    before, box = says(page), target.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * 0.35, box["y"] + box["height"] * 0.4)
    assert says(page) != before
    context.close()


@pytest.mark.parametrize("name", ["index.html", *PAGES])
def test_without_scripts_there_is_a_picture_and_a_sentence(name, browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((SITE / name).as_uri())
    for figure in page.locator(".play").all():
        assert not figure.locator(".controls").is_visible()
        assert figure.locator("noscript p").is_visible()
        assert figure.locator("noscript p").text_content() == STILL
        for drawing in figure.locator("svg").all():
            assert drawing.locator("path").count() > 3
            assert len(drawing.locator("title").text_content()) >= 40
            assert drawing.bounding_box()["height"] > 100
    if name == NOTEBOOK:
        assert page.locator("a.image-reference img").nth(1).get_attribute("alt")
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_screen_reader_hears_what_is_seen(name):
    page = soup(name)
    for figure in page.select(".play"):
        assert figure.select_one(".says")["aria-live"] == "polite"
        for control in figure.select("input, select"):
            assert control.find_parent("label").span.get_text()
        for drawing in figure.select("svg"):
            assert drawing["role"] == "img"
            assert drawing.title["id"] == drawing["aria-labelledby"]


@pytest.mark.parametrize("name", PAGES[:3])
def test_a_page_says_what_to_try_and_where_it_is_proved(name):
    page = soup(name).select_one("article")
    assert page.h1 and page.select_one(".lead p").get_text().count(".") <= 2
    assert page.select("a[href*='#nb']")


@pytest.mark.parametrize(
    ("notebook", "target"),
    [("00_start_here", "valley"), ("05_epsilon_is_a_hyperparameter", "eps-map"),
     ("06_amsgrad", "two-orders")],
)  # fmt: skip
def test_the_notebook_leads_to_it(notebook, target):
    assert soup(f"notebooks/{notebook}.html").select(f"article a[href='../play/{target}.html']")
