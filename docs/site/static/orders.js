// @ts-check
// What Adam and three AMSGrads divide by after one large gradient. tests/site/test_play.py holds it
// to `adamlib.experiments.denominators`.
"use strict";

/**
 * @typedef {object} OrdersData
 * @property {Panel} panel
 * @property {number[]} steps at which the lines are drawn
 * @property {Record<string, Partial<Rule>>} rules
 */

/**
 * What is divided by at each step, for gradients of 1 with a large one among them.
 * @param {Partial<Rule>} change
 * @param {number} beta2
 * @param {number} spike
 * @param {number} at the step of the spike, from 1
 * @param {number} steps
 */
function denominators(change, beta2, spike, at, steps) {
  const rule = { ...ALGORITHM_1, ...change };
  const settings = { lr: 1, beta1: 0.9, beta2, eps: 0 };
  const state = freshState();
  return Array.from({ length: steps }, (_, i) => {
    const grad = i + 1 === at ? spike : 1;
    update(rule, coefficients(rule, settings, i + 1), state, 0, grad, FLOAT64);
    return Math.sqrt(state.vHat);
  });
}

const LABEL_HEIGHT = 24; // as in docs/site/play.py

/**
 * The heights of labels, pushed apart where they would overlap.
 * @param {number[]} places
 */
function apart(places) {
  const found = [...places];
  const order = places.map((_, i) => i).sort((i, j) => places[i] - places[j]);
  for (let turn = 0; turn < 50; turn++) {
    order.slice(1).forEach((below, i) => {
      const above = order[i];
      const push = Math.max(0, LABEL_HEIGHT - (found[below] - found[above])) / 2;
      found[above] -= push;
      found[below] += push;
    });
  }
  return found;
}

/**
 * @param {HTMLElement} figure
 * @param {OrdersData} data
 */
function exploreOrders(figure, data) {
  const { words, input, begin } = controlsOf(figure);
  const [size, at, beta2, step] = ["size", "at", "beta2", "step"].map(input);
  const names = Object.keys(data.rules);
  const last = data.steps[data.steps.length - 1];
  const whole = (/** @type {HTMLInputElement} */ slider) => Math.round(powerOfTen(slider));
  /** @type {Record<string, number[]>} */
  let roots = {};

  function run() {
    const spike = Number(powerOfTen(size).toPrecision(2));
    const asked = /** @type {const} */ ([Number(beta2.value), spike, whole(at), last]);
    roots = Object.fromEntries(
      names.map((name) => [name, denominators(data.rules[name], ...asked)]),
    );
    showValue(size, shown(spike));
    showValue(at, String(whole(at)));
    for (const name of names) {
      const drawn = data.steps.map((t) => roots[name][t - 1]);
      const shape = /** @type {Element} */ (figure.querySelector(`path.${name}`));
      shape.setAttribute("d", line(data.panel, data.steps, drawn));
    }
    const ends = names.map((name) => up(data.panel, roots[name][last - 1]) + 5);
    apart(ends).forEach((y, i) => {
      figure.querySelector(`text.${names[i]}`)?.setAttribute("y", y.toFixed(1));
    });
    point();
  }

  function point() {
    const t = whole(step);
    showValue(step, String(t));
    for (const name of names) {
      const ring = /** @type {SVGElement} */ (figure.querySelector(`circle.${name}`));
      const [x, y] = [across(data.panel, t), up(data.panel, roots[name][t - 1])];
      ring.setAttribute("transform", `translate(${x} ${y})`);
    }
    const values = names.map(
      (name) => `<b class="${name}">${LABELS[name]} ${shown(roots[name][t - 1])}</b>`,
    );
    words.innerHTML = `At step ${t} a step is divided by: ${values.join(", ")}. ${comparison(t)}`;
  }

  /** @param {number} t */
  function comparison(t) {
    if (t < whole(at)) return "The large gradient is still to come: all corrected roots are alike.";
    const ratio = roots.optax[t - 1] / roots.torch[t - 1];
    if (ratio < 1.005) return "PyTorch and optax divide by the same.";
    return `Optax's steps are ${shown(ratio)} times as short as PyTorch's, under the same name.`;
  }

  whenPointedAt(/** @type {SVGSVGElement} */ (figure.querySelector("svg")), (x) => {
    step.value = String(Math.log10(valueAt(data.panel, x)));
    point();
  });
  for (const each of [size, at]) each.addEventListener("input", run);
  beta2.addEventListener("change", run);
  step.addEventListener("input", point);
  begin();
  run();
}

/** @type {Record<string, string>} */
const LABELS = {
  adam: "Adam",
  torch: "PyTorch's AMSGrad",
  optax: "optax's",
  paper: "the paper's",
};

forEachFigure(".play.orders", exploreOrders);
