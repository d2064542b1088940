// @ts-check
// The map of Adam's first step on the front page, computed as `adamlib` computes it, to the bit.
// tests/site/test_first_step.py holds every function here to `adamlib`.
"use strict";

/** @typedef {"NaN" | "infinite" | "too long" | "arbitrary" | "fine" | "held back"} Outcome */
/**
 * @typedef {object} FirstStep
 * @property {number} step in units of lr, positive along the gradient
 * @property {number} m the first moment, as stored
 * @property {number} v the second moment, as stored
 * @property {number} root what eps is added to
 * @property {number} eps as the format has it
 * @property {number} grad as the format has it
 * @property {Outcome} outcome
 */

/**
 * Take the first step, from m = v = 0.
 * @param {number} gradient
 * @param {number} epsilon
 * @param {number} beta2
 * @param {Format} format
 * @returns {FirstStep}
 */
function firstStep(gradient, epsilon, beta2, format) {
  const kind = arithmetic(format);
  const grad = roundTo(gradient, format);
  const eps = roundTo(epsilon, format);
  const state = freshState();
  const numbers = coefficients(ALGORITHM_1, { lr: 1, beta1: 0.9, beta2, eps }, 1);
  update(ALGORITHM_1, numbers, state, 0, grad, kind);
  const { step, m, v } = state;
  const root = kind.round(Math.sqrt(state.vHat));
  return { step, m, v, root, eps, grad, outcome: classify(step, v, grad, format) };
}

/**
 * Say what became of a step, as `adamlib.experiments.classify_first_step` does.
 * @param {number} step
 * @param {number} v
 * @param {number} grad
 * @param {Format} format
 * @returns {Outcome}
 */
function classify(step, v, grad, format) {
  const length = Math.abs(step);
  if (Number.isNaN(length)) return "NaN";
  if (length === Infinity) return "infinite";
  if (length > 1.5 || (v === 0 && length > 1)) return "too long";
  if (length < 0.5 || v === 0) return "held back";
  return Math.abs(grad) < noise(format) ? "arbitrary" : "fine";
}

/**
 * Half a unit in the last place of 1: a gradient below it is rounding noise.
 * @param {Format} format
 */
function noise(format) {
  return 2 ** -FORMATS[format].bits;
}

/**
 * Why the step is what it is, in words.
 * @param {FirstStep} found
 * @param {Format} format
 */
function why({ outcome, step, v, root, eps, grad }, format) {
  const times = shown(eps / root);
  switch (outcome) {
    case "NaN":
      if (!Number.isFinite(grad)) return `The gradient is beyond the largest ${format}: ∞/∞.`;
      return "m and v are both stored as zero, and eps is zero: 0/0.";
    case "infinite":
      return v === 0 && eps === 0
        ? "v is stored as zero, m is not, and eps is zero: m/0."
        : `v is stored as zero, and m/eps is beyond the largest ${format}.`;
    case "too long":
      return "v is stored as zero, so that only eps is left to divide by: |g|/eps times lr.";
    case "arbitrary":
      return (
        `The gradient is smaller than the rounding noise of sums of size 1, ` +
        `${shown(noise(format))}, and moves the parameter by ${shown(Math.abs(step))} lr all ` +
        `the same: in a direction that rounding has chosen.`
      );
    case "fine":
      if (eps === 0) return "The gradient is divided by its own size.";
      return root + eps === root || root === Infinity
        ? "The gradient is divided by its own size; eps changes nothing that can be seen."
        : `The gradient is divided by its own size; eps is ${times} of it.`;
    case "held back":
      if (grad === 0) return "There is no gradient, and eps keeps 0/0 away.";
      if (root === Infinity) return `g² is beyond the largest ${format}: v is infinite.`;
      if (v === 0) return "v is stored as zero, and eps is larger than the gradient.";
      return `eps is ${times} times the root of v, and decides what is divided by.`;
  }
}

/** @type {Record<Outcome, string>} */
const SAYS = {
  NaN: "Not a number",
  infinite: "Infinite",
  "too long": "Too long",
  arbitrary: "Arbitrary",
  fine: "Fine",
  "held back": "Held back by eps",
};

/** The map's place in its drawing and in decades; the build writes it beside the drawing. */
/** @typedef {{left: number, top: number, width: number, height: number, strip: [number, number],
 *    grads: [number, number], eps: [number, number], perDecade: number}} Place */

/**
 * The centres of equal parts of each decade.
 * @param {[number, number]} decades
 * @param {number} perDecade
 */
function centres([first, last], perDecade) {
  const count = perDecade * (last - first);
  return Array.from({ length: count }, (_, i) => 10 ** (first + (i + 0.5) / perDecade));
}

/**
 * What a first step comes to for each gradient, for one eps.
 * @param {number[]} grads
 * @param {number} eps
 * @param {number} beta2
 * @param {Format} format
 */
function outcomes(grads, eps, beta2, format) {
  return grads.map((grad) => firstStep(grad, eps, beta2, format).outcome);
}

/**
 * Draw the regions again, for another β₂ or another format.
 * @param {Element} regions
 * @param {Place} place
 * @param {number} beta2
 * @param {Format} format
 */
function drawRegions(regions, place, beta2, format) {
  const grads = centres(place.grads, place.perDecade);
  const rows = [0, ...centres(place.eps, place.perDecade)];
  const high = place.height / (rows.length - 1);
  /** @type {Map<Outcome, string[]>} */
  const shapes = new Map();
  rows.forEach((eps, row) => {
    const bottom = row ? place.top + place.height - (row - 1) * high : place.strip[0];
    const top = row ? bottom - high : place.strip[1];
    const line = outcomes(grads, eps, beta2, format);
    for (let first = 0, at = 1; at <= line.length; at++) {
      if (at < line.length && line[at] === line[first]) continue;
      const [from, to] = [first, at].map((i) => place.left + (place.width * i) / line.length);
      const shape = `M${from.toFixed(1)} ${bottom.toFixed(2)}H${to.toFixed(1)}V${top.toFixed(2)}H${from.toFixed(1)}z`;
      shapes.set(line[first], [...(shapes.get(line[first]) ?? []), shape]);
      first = at;
    }
  });
  regions.innerHTML = [...shapes]
    .map(([name, parts]) => `<path class="${regionClass(name)}" d="${parts.join("")}"/>`)
    .join("");
}

/** @param {Outcome} name */
function regionClass(name) {
  return `region-${name.toLowerCase().replace(" ", "-")}`;
}

/**
 * Make the map on a page one that can be pointed at.
 * @param {HTMLElement} figure
 * @param {Place} place
 */
function exploreFirstStep(figure, place) {
  const svg = /** @type {SVGSVGElement} */ (figure.querySelector("svg"));
  const { words, input, begin } = controlsOf(figure);
  const [grad, eps, beta2, format] = ["gradient", "eps", "beta2", "format"].map(input);
  const marker = /** @type {SVGElement} */ (svg.querySelector(".marker"));
  const regions = /** @type {Element} */ (svg.querySelector(".regions"));

  function show() {
    const kind = /** @type {Format} */ (format.value);
    const [g, e] = [powerOfTen(grad), powerOfTen(eps)];
    const found = firstStep(g, e, Number(beta2.value), kind);
    showValue(grad, shown(g));
    showValue(eps, shown(e));
    words.innerHTML =
      `<strong class="${regionClass(found.outcome)}">${SAYS[found.outcome]}.</strong> ` +
      `The step is <b>${shown(found.step)}</b> times lr. ${why(found, kind)}`;
    const [x, y] = position(place, g, e);
    marker.setAttribute("transform", `translate(${x} ${y})`);
  }

  function redraw() {
    drawRegions(regions, place, Number(beta2.value), /** @type {Format} */ (format.value));
    const asBuilt = format.value === "float32" && beta2.value === "0.999";
    svg.classList.toggle("other", !asBuilt);
    show();
  }

  whenPointedAt(svg, (x, y) => {
    const [g, e] = pointedAt(place, x, y);
    grad.value = g === null ? grad.min : String(g);
    eps.value = e === null ? eps.min : String(e);
    show();
  });
  for (const slider of [grad, eps]) slider.addEventListener("input", show);
  for (const choice of [beta2, format]) choice.addEventListener("change", redraw);
  begin();
  show();
}

/**
 * Where a pair stands in the drawing. There is no strip for g = 0: it stands at the left edge.
 * @param {Place} place
 * @param {number} grad
 * @param {number} eps
 * @returns {[number, number]}
 */
function position(place, grad, eps) {
  const across = share(grad && Math.log10(grad), place.grads, grad);
  const up = share(eps && Math.log10(eps), place.eps, eps);
  const y = eps === 0 ? (place.strip[0] + place.strip[1]) / 2 : place.top + place.height * (1 - up);
  return [place.left + place.width * across, y];
}

/**
 * @param {number} decade
 * @param {[number, number]} decades
 * @param {number} number
 */
function share(decade, [first, last], number) {
  return number === 0 ? 0 : Math.min(1, Math.max(0, (decade - first) / (last - first)));
}

/**
 * The decades of gradient and eps at a place of the drawing; null for eps stands for zero.
 * @param {Place} place
 * @param {number} x
 * @param {number} y
 * @returns {[number | null, number | null]}
 */
function pointedAt(place, x, y) {
  const across = (x - place.left) / place.width;
  const up = (place.top + place.height - y) / place.height;
  const decade = (/** @type {number} */ part, /** @type {[number, number]} */ [first, last]) =>
    first + (last - first) * Math.min(1, Math.max(0, part));
  return [
    across < 0 ? null : decade(across, place.grads),
    up < 0 ? null : decade(up, place.eps),
  ];
}

forEachFigure(".play.first-step", exploreFirstStep);
