// @ts-check
// What the figures that move share: places in a drawing, lines, sliders, numbers in words.
"use strict";

/**
 * A rectangle of a drawing, and what its edges stand for; of a logarithmic axis, the powers of ten.
 * The build writes it beside the drawing: docs/site/drawing.py.
 * @typedef {object} Panel
 * @property {number} left
 * @property {number} top
 * @property {number} width
 * @property {number} height
 * @property {[number, number]} x
 * @property {[number, number]} y
 * @property {boolean} log_x
 * @property {boolean} log_y
 */

const BEYOND = 500; // how far outside of a panel a line may lead, in units of the drawing

/**
 * @param {Panel} panel
 * @param {number} x
 */
function across(panel, x) {
  const [first, last] = panel.x;
  const share = ((panel.log_x ? Math.log10(x) : x) - first) / (last - first);
  return within(panel.left + panel.width * share, panel.left, panel.width);
}

/**
 * @param {Panel} panel
 * @param {number} y
 */
function up(panel, y) {
  const [first, last] = panel.y;
  const share = ((panel.log_y ? Math.log10(y) : y) - first) / (last - first);
  return within(panel.top + panel.height * (1 - share), panel.top, panel.height);
}

/**
 * @param {number} place
 * @param {number} start
 * @param {number} length
 */
function within(place, start, length) {
  return Math.min(start + length + BEYOND, Math.max(start - BEYOND, place));
}

/**
 * The value on the horizontal axis at a place of the drawing.
 * @param {Panel} panel
 * @param {number} place
 */
function valueAt(panel, place) {
  const [first, last] = panel.x;
  const share = Math.min(1, Math.max(0, (place - panel.left) / panel.width));
  const value = first + (last - first) * share;
  return panel.log_x ? 10 ** value : value;
}

/**
 * A line through points as the `d` of a path; it breaks where a number is none.
 * @param {Panel} panel
 * @param {number[]} xs
 * @param {number[]} ys as many or more
 */
function line(panel, xs, ys) {
  let drawn = "";
  let pen = "M";
  xs.forEach((x, i) => {
    if (Number.isNaN(x) || Number.isNaN(ys[i])) pen = "M";
    else {
      drawn += `${pen}${across(panel, x).toFixed(1)} ${up(panel, ys[i]).toFixed(1)}`;
      pen = "L";
    }
  });
  return drawn;
}

/**
 * The same points as dots, for a line with round ends.
 * @param {Panel} panel
 * @param {number[]} xs
 * @param {number[]} ys
 */
function dots(panel, xs, ys) {
  return line(panel, xs, ys).replace(/[ML]([^ML]+)/g, "M$1h0");
}

/**
 * Where an event is, in units of the drawing.
 * @param {SVGSVGElement} svg
 * @param {PointerEvent} event
 * @returns {[number, number]}
 */
function placeOf(svg, event) {
  const box = svg.getBoundingClientRect();
  const scale = svg.viewBox.baseVal.width / box.width;
  return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
}

/**
 * Let a drawing be pointed at: by a mouse that moves over it, by a finger or pen that touches it.
 * @param {SVGSVGElement} svg
 * @param {(x: number, y: number) => void} point
 */
function whenPointedAt(svg, point) {
  const tell = (/** @type {PointerEvent} */ event) => point(...placeOf(svg, event));
  svg.addEventListener("pointerdown", tell);
  svg.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" || event.buttons) tell(event);
  });
  svg.classList.add("explorable");
}

/**
 * What one can change below a figure.
 * @param {HTMLElement} figure
 */
function controlsOf(figure) {
  const controls = /** @type {HTMLElement} */ (figure.querySelector(".controls"));
  return {
    words: /** @type {HTMLElement} */ (figure.querySelector(".says")),
    input: (/** @type {string} */ name) =>
      /** @type {HTMLInputElement} */ (controls.querySelector(`[name="${name}"]`)),
    begin: () => {
      controls.hidden = false;
    },
  };
}

/**
 * Write what a slider stands at beside it, and for those who listen.
 * @param {HTMLInputElement} slider
 * @param {string} text
 */
function showValue(slider, text) {
  slider.setAttribute("aria-valuetext", text);
  /** @type {HTMLElement} */ (slider.nextElementSibling).textContent = text;
}

/**
 * The power of ten of a slider; where it can be zero, that is its lowest place.
 * @param {HTMLInputElement} slider
 */
function powerOfTen(slider) {
  return "zero" in slider.dataset && slider.value === slider.min ? 0 : 10 ** Number(slider.value);
}

/**
 * A number as the words have it: 0, 3.2e-8, 0.5.
 * @param {number} x
 */
function shown(x) {
  if (x === 0 || !Number.isFinite(x)) return String(x).replace("Infinity", "∞").replace("-", "−");
  const size = Math.abs(x);
  if (size >= 0.01 && size < 1000) return String(Number(x.toPrecision(3))).replace("-", "−");
  return x.toExponential(1).replace("e+", "e").replace(".0e", "e");
}

/**
 * The figures of a kind on the page, each with the data that the build wrote into it.
 * @param {string} selector
 * @param {(figure: HTMLElement, data: any) => void} explore
 */
function forEachFigure(selector, explore) {
  for (const each of document.querySelectorAll(selector)) {
    const figure = /** @type {HTMLElement} */ (each);
    explore(figure, JSON.parse(figure.querySelector("script.data")?.textContent ?? "{}"));
  }
}
