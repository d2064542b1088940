// @ts-check
// The map of ε and the learning rate of notebook 05: the run of the cell that is pointed at is
// trained here. tests/site/test_play.py holds every run to `adamlib`.
"use strict";

/**
 * The two-layer net of notebook 05: all examples, the targets, and the start; rows in their order.
 * @typedef {object} Net
 * @property {number[][]} x
 * @property {number[][]} y
 * @property {number[][]} W1
 * @property {number[]} b1
 * @property {number[][]} W2
 * @property {number[]} b2
 */
/**
 * @typedef {object} MapData
 * @property {Panel} map
 * @property {Panel} losses
 * @property {number[]} rates
 * @property {number[]} eps
 * @property {number} typical gradient at the start
 * @property {number} steps
 * @property {Net} net
 */

/**
 * The sum of squared errors, and its gradient: `adamlib.problems.two_layer_net`.
 * @param {Net} net
 * @param {number[]} params W1, b1, W2, b2, row by row
 * @param {number[]} grads is written
 */
function lossAndGradient(net, params, grads) {
  const [inputs, hidden, outputs] = [net.W1[0].length, net.b1.length, net.b2.length];
  const b1 = hidden * inputs;
  const W2 = b1 + hidden;
  const b2 = W2 + outputs * hidden;
  const before = new Float64Array(hidden);
  const error = new Float64Array(outputs);
  grads.fill(0);
  let loss = 0;
  net.x.forEach((x, n) => {
    for (let h = 0; h < hidden; h++) {
      let sum = 0;
      for (let k = 0; k < inputs; k++) sum += params[h * inputs + k] * x[k];
      before[h] = sum + params[b1 + h];
    }
    for (let o = 0; o < outputs; o++) {
      let sum = 0;
      for (let h = 0; h < hidden; h++) {
        sum += params[W2 + o * hidden + h] * Math.max(before[h], 0);
      }
      error[o] = sum + params[b2 + o] - net.y[n][o];
      loss += error[o] * error[o];
      const d = 2 * error[o];
      for (let h = 0; h < hidden; h++) grads[W2 + o * hidden + h] += d * Math.max(before[h], 0);
      grads[b2 + o] += d;
    }
    for (let h = 0; h < hidden; h++) {
      let d = 0;
      for (let o = 0; o < outputs; o++) d += 2 * error[o] * params[W2 + o * hidden + h];
      d *= before[h] > 0 ? 1 : 0;
      for (let k = 0; k < inputs; k++) grads[h * inputs + k] += d * x[k];
      grads[b1 + h] += d;
    }
  });
  return loss;
}

/**
 * Train the net with Adam; return the loss before each step.
 * @param {Net} net
 * @param {number} lr
 * @param {number} eps
 * @param {number} steps
 */
function train(net, lr, eps, steps) {
  const settings = { lr, beta1: 0.9, beta2: 0.999, eps };
  const params = [net.W1.flat(), net.b1, net.W2.flat(), net.b2].flat();
  const states = params.map(freshState);
  const grads = params.map(() => 0);
  return Array.from({ length: steps }, () => {
    const loss = lossAndGradient(net, params, grads);
    takeStep(ALGORITHM_1, settings, params, grads, states);
    return loss;
  });
}

/**
 * What a run came to, in words.
 * @param {number} share last loss over first
 */
function verdict(share) {
  if (Number.isNaN(share)) return "The run ends in NaN.";
  if (share > 1) return `The loss ends ${shown(share)} times as high as it began.`;
  const fall = `The loss falls to ${shown(share)} of what it was.`;
  return share > 0.5 ? `${fall} It hardly trains.` : fall;
}

/**
 * Where ε stands beside the gradients, in words.
 * @param {number} ratio of ε to a typical gradient at the start
 */
function besideGradients(ratio) {
  const times = shown(ratio > 1 ? ratio : 1 / ratio);
  if (ratio < 0.01)
    return `ε is ${times} times smaller than a typical gradient: while a run trains smoothly, it does not matter.`;
  if (ratio > 100)
    return `ε is ${times} times larger than a typical gradient: only α/ε counts.`;
  return `ε is ${times} times ${ratio > 1 ? "larger" : "smaller"} than a typical gradient: the band bends here.`;
}

/**
 * @param {HTMLElement} figure
 * @param {MapData} data
 */
function exploreMap(figure, data) {
  const { words, input, begin } = controlsOf(figure);
  const [lr, eps] = ["lr", "eps"].map(input);
  const times = Array.from({ length: data.steps }, (_, t) => t + 1);
  const cell = /** @type {SVGElement} */ (figure.querySelector(".cell-mark"));
  const drawn = /** @type {SVGElement} */ (figure.querySelector("path.run"));

  function show() {
    const [rate, number] = [data.rates[Number(lr.value)], data.eps[Number(eps.value)]];
    showValue(lr, shown(rate));
    showValue(eps, shown(number));
    const losses = train(data.net, rate, number, data.steps);
    const { left, top, width, height } = data.map;
    const [wide, high] = [width / data.eps.length, height / data.rates.length];
    const row = data.rates.length - 1 - Number(lr.value);
    cell.setAttribute(
      "transform",
      `translate(${left + wide * Number(eps.value)} ${top + high * row})`,
    );
    drawn.setAttribute("d", line(data.losses, times, losses));
    const share = losses[losses.length - 1] / losses[0];
    words.innerHTML =
      `α = <b>${shown(rate)}</b>, ε = <b>${shown(number)}</b>, α/ε = ${shown(rate / number)}. ` +
      `<strong>${verdict(share)}</strong> ${besideGradients(number / data.typical)}`;
  }

  whenPointedAt(/** @type {SVGSVGElement} */ (figure.querySelector("svg.map-of-eps")), (x, y) => {
    const { left, top, width, height } = data.map;
    const [column, row] = [(x - left) / width, (top + height - y) / height];
    const asked = [cellOf(row, data.rates.length), cellOf(column, data.eps.length)];
    if (asked[0] === lr.value && asked[1] === eps.value) return;
    [lr.value, eps.value] = asked;
    show();
  });
  for (const each of [lr, eps]) each.addEventListener("input", show);
  begin();
  show();
}

/**
 * The number of a cell, as a slider has it.
 * @param {number} share of the way along an axis
 * @param {number} count
 */
function cellOf(share, count) {
  return String(Math.min(count - 1, Math.max(0, Math.floor(share * count))));
}

forEachFigure(".play.eps-map", exploreMap);
