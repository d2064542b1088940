// @ts-check
// The narrow valley of notebook 00 with every setting of Adam, every dialect and every mistake.
// tests/site/test_play.py holds its paths to `adamlib`.
"use strict";

/**
 * @typedef {object} ValleyData
 * @property {Panel} valley
 * @property {Panel} loss
 * @property {[number, number]} curvatures
 * @property {[number, number]} start
 * @property {Record<string, {formula: string, eps: number, change: Partial<Rule>}>} dialects
 * @property {Record<string, {says: string, change: Partial<Rule>}>} mistakes
 */
/** @typedef {{points: number[][], losses: number[]}} Path */

const MOST_STEPS = 300;

/**
 * A run in the valley: all of its points, the start first, and the loss at each.
 * @param {ValleyData} data
 * @param {Partial<Rule>} change
 * @param {Settings} settings
 * @param {number} steps
 * @returns {Path}
 */
function descend({ curvatures: [a, b], start }, change, settings, steps) {
  const rule = { ...ALGORITHM_1, ...change };
  const params = [...start];
  const states = params.map(freshState);
  const points = [[...params]];
  for (let t = 0; t < steps; t++) {
    takeStep(rule, settings, params, [a * params[0], b * params[1]], states);
    points.push([...params]);
  }
  return { points, losses: points.map(([x, y]) => 0.5 * (a * x * x + b * y * y)) };
}

/** @param {Path} path @param {number} step */
function distance({ points }, step) {
  return Math.hypot(...points[step]);
}

/**
 * Where a run stands after a step, in words.
 * @param {Path} path
 * @param {number} step
 * @param {Panel} panel
 */
function standing(path, step, panel) {
  const [x, y] = path.points[step];
  const last = path.points.findIndex((point) => !point.every(Number.isFinite));
  if (last >= 0 && last <= step) return `is no number any more, from step ${last} on`;
  const away = `${shown(distance(path, step))} from the minimum`;
  const outside = x < panel.x[0] || x > panel.x[1] || y < panel.y[0] || y > panel.y[1];
  return outside ? `has left the picture: ${away}` : `stands ${away}`;
}

/**
 * @param {HTMLElement} figure
 * @param {ValleyData} data
 */
function exploreValley(figure, data) {
  const { words, input, begin } = controlsOf(figure);
  const names = ["lr", "eps", "beta1", "beta2", "dialect", "mistake", "steps"];
  const [lr, eps, beta1, beta2, dialect, mistake, steps] = names.map(input);
  const part = (/** @type {string} */ name) =>
    /** @type {SVGElement} */ (figure.querySelector(name));
  /** @type {{right: Path, run: Path}} */
  let shownRuns;

  function run() {
    const settings = {
      lr: powerOfTen(lr),
      eps: powerOfTen(eps),
      beta1: Number(beta1.value),
      beta2: Number(beta2.value),
    };
    const { change } = data.dialects[dialect.value];
    const wrong = data.mistakes[mistake.value]?.change;
    const right = descend(data, change, settings, MOST_STEPS);
    const found = wrong ? descend(data, { ...change, ...wrong }, settings, MOST_STEPS) : right;
    shownRuns = { right, run: found };
    showValue(lr, shown(settings.lr));
    showValue(eps, shown(settings.eps));
    draw();
  }

  function draw() {
    const step = Number(steps.value);
    const { right, run: found } = shownRuns;
    const wrong = found !== right;
    showValue(steps, String(step));
    figure.classList.toggle("mistaken", wrong);
    for (const [name, path] of /** @type {const} */ ([["right", right], ["run", found]])) {
      const hidden = name === "right" && !wrong;
      const some = hidden ? [] : path.points.slice(0, step + 1);
      const [xs, ys] = [some.map(([x]) => x), some.map(([, y]) => y)];
      const times = hidden ? [] : path.losses.map((_, t) => t);
      part(`.path.${name}`).setAttribute("d", line(data.valley, xs, ys));
      part(`.stops.${name}`).setAttribute("d", dots(data.valley, xs, ys));
      part(`.all.${name}`).setAttribute("d", line(data.loss, times, path.losses));
      part(`.far.${name}`).setAttribute(
        "d",
        line(data.loss, times.slice(0, step + 1), path.losses),
      );
    }
    const here = found.points[step];
    mark(part(".here"), data.valley, here[0], here[1]);
    mark(part(".now"), data.loss, step, found.losses[step]);
    say(step, right, found, wrong);
  }

  /**
   * @param {number} step
   * @param {Path} right
   * @param {Path} found
   * @param {boolean} wrong
   */
  function say(step, right, found, wrong) {
    const { formula } = data.dialects[dialect.value];
    const after = `After ${step} ${step === 1 ? "step" : "steps"} the run`;
    const loss = `Its loss began at ${shown(found.losses[0])} and is ${shown(found.losses[step])}.`;
    let text = `<code>${formula}</code><br>${after} ${standing(found, step, data.valley)}. ${loss}`;
    if (wrong) {
      const same = found.points.every((point, t) => Object.is(String(point), String(right.points[t])));
      text = `<strong>${data.mistakes[mistake.value].says}</strong> ${text} `;
      text += same
        ? "With these settings the mistake changes nothing."
        : `Without the mistake it ${standing(right, step, data.valley)}.`;
    }
    words.innerHTML = text;
  }

  const svg = /** @type {SVGSVGElement} */ (figure.querySelector("svg.losses"));
  whenPointedAt(svg, (x) => {
    steps.value = String(Math.max(1, Math.round(valueAt(data.loss, x))));
    draw();
  });
  const valley = /** @type {SVGSVGElement} */ (figure.querySelector("svg.valley"));
  whenPointedAt(valley, (x, y) => {
    steps.value = String(Math.max(1, nearest(shownRuns.run.points, data.valley, x, y)));
    draw();
  });
  for (const each of [lr, eps]) each.addEventListener("input", run);
  for (const each of [beta1, beta2, dialect, mistake]) each.addEventListener("change", run);
  steps.addEventListener("input", draw);
  begin();
  run();
}

/**
 * Put a ring at a point, or nowhere where it is none.
 * @param {SVGElement} ring
 * @param {Panel} panel
 * @param {number} x
 * @param {number} y
 */
function mark(ring, panel, x, y) {
  const there = !Number.isNaN(x) && !Number.isNaN(y);
  ring.style.display = there ? "" : "none";
  if (there) ring.setAttribute("transform", `translate(${across(panel, x)} ${up(panel, y)})`);
}

/**
 * The number of the point that is nearest to a place of the drawing.
 * @param {number[][]} points
 * @param {Panel} panel
 * @param {number} x
 * @param {number} y
 */
function nearest(points, panel, x, y) {
  let [best, least] = [0, Infinity];
  points.forEach((point, i) => {
    const away = Math.hypot(across(panel, point[0]) - x, up(panel, point[1]) - y);
    if (away < least) [best, least] = [i, away];
  });
  return best;
}

forEachFigure(".play.valley", exploreValley);
