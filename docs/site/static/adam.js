// @ts-check
// Adam's step, computed in the browser as `adamlib` computes it. tests/site/test_adam_js.py holds
// every form of it to `adamlib`. The other scripts are built on this one.
"use strict";

/** @typedef {"float16" | "bfloat16" | "float32" | "float64"} Format */

/** Significant bits, and the exponents of the smallest normal and of the largest number. */
const FORMATS = {
  float16: { bits: 11, least: -14, most: 15 },
  bfloat16: { bits: 8, least: -126, most: 127 },
  float32: { bits: 24, least: -126, most: 127 },
  float64: { bits: 53, least: -1022, most: 1023 },
};

/**
 * Round to the nearest number of a format, to the even one of two.
 * @param {number} x
 * @param {Format} format
 * @returns {number}
 */
function roundTo(x, format) {
  if (format === "float64" || x === 0 || !Number.isFinite(x)) return x;
  if (format === "float32") return Math.fround(x);
  const { bits, least, most } = FORMATS[format];
  const size = Math.abs(x);
  let exponent = Math.floor(Math.log2(size));
  if (2 ** exponent > size) exponent -= 1; // the logarithm itself is rounded
  if (2 ** (exponent + 1) <= size) exponent += 1;
  const unit = 2 ** (Math.max(exponent, least) - bits + 1);
  const whole = size / unit; // exact: a power of two
  const below = Math.floor(whole);
  const rest = whole - below;
  const rounded = (rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below) * unit;
  return Math.sign(x) * (rounded >= 2 ** (most + 1) ? Infinity : rounded);
}

/** @typedef {{round: (x: number) => number, scalar: (x: number) => number}} Arithmetic */

/**
 * The operations of a format: what an operation gives, and what a factor of Python's becomes.
 * bfloat16 is computed in float32 and then rounded, as torch does; a number that is added is rounded.
 * @param {Format} format
 * @returns {Arithmetic}
 */
function arithmetic(format) {
  if (format !== "bfloat16") {
    const round = (/** @type {number} */ x) => roundTo(x, format);
    return { round, scalar: round };
  }
  const round = (/** @type {number} */ x) => roundTo(Math.fround(x), format);
  return { round, scalar: Math.fround };
}

const FLOAT64 = arithmetic("float64");

/**
 * What a form of Adam does: the names and words are those of `adamlib.identification`, whose tables
 * of mistakes say what each changes.
 * @typedef {object} Rule
 * @property {string} keep_m what m keeps of itself
 * @property {string} weight_m the weight of the gradient in m
 * @property {string} keep_v
 * @property {string} weight_v
 * @property {string | null} base_m m is divided by 1 − base ** t; null: it is not
 * @property {string | null} base_v
 * @property {string} clock_m what stands for t there
 * @property {string} clock_v
 * @property {number} power_v of the correction of v
 * @property {boolean} swapped β₁ and β₂ are
 * @property {number} eps_power
 * @property {number} factor of the whole step
 * @property {string} placement where eps stands
 * @property {boolean} eps_in_m eps is added to m̂ as well
 * @property {"max of v" | "max of v̂" | null} amsgrad
 * @property {"given" | "late"} input
 * @property {"zero" | "gradient" | "corrected"} m_starts
 * @property {"zero" | "gradient" | "corrected"} v_starts
 * @property {"g²" | "g" | "|g|" | "m²" | "m"} v_of
 * @property {boolean} shared m and v are one array
 * @property {number} power of v̂ in the denominator
 * @property {number} sign
 * @property {boolean} twice each gradient is applied twice
 */

/** Algorithm 1. @type {Rule} */
const ALGORITHM_1 = {
  keep_m: "β₁",
  weight_m: "1−β₁",
  keep_v: "β₂",
  weight_v: "1−β₂",
  base_m: "β₁",
  base_v: "β₂",
  clock_m: "right",
  clock_v: "right",
  power_v: 1,
  swapped: false,
  eps_power: 1,
  factor: 1,
  placement: "outside",
  eps_in_m: false,
  amsgrad: null,
  input: "given",
  m_starts: "zero",
  v_starts: "zero",
  v_of: "g²",
  shared: false,
  power: 0.5,
  sign: -1,
  twice: false,
};

/** @typedef {{lr: number, beta1: number, beta2: number, eps: number}} Settings */
/**
 * What is kept of the steps so far, and what the last one was made of.
 * @typedef {object} State
 * @property {number} t steps taken
 * @property {number} m
 * @property {number} v
 * @property {number} largest v or v̂ so far, for AMSGrad
 * @property {number} last gradient
 * @property {number} mHat
 * @property {number} vHat
 * @property {number} step in units of lr, positive along the gradient
 */

/** @returns {State} */
function freshState() {
  return { t: 0, m: 0, v: 0, largest: 0, last: 0, mHat: 0, vHat: 0, step: 0 };
}

/**
 * A product of two numbers, and what rounding takes of it (Dekker 1971).
 * @param {number} a
 * @param {number} b
 */
function product(a, b) {
  const half = (/** @type {number} */ x) => {
    const shifted = 134217729 * x; // 2 ** 27 + 1
    return shifted - (shifted - x);
  };
  const [highA, highB] = [half(a), half(b)];
  const [lowA, lowB] = [a - highA, b - highB];
  const whole = a * b;
  return [whole, highA * highB - whole + highA * lowB + lowA * highB + lowA * lowB];
}

/**
 * base ** n, rounded once, as Python has it: where `**` is V8's own (Node 20) it is off in one of ten.
 * @param {number} base in [0, 1]
 * @param {number} n a whole number, 0 or more
 */
function power(base, n) {
  let [found, rest, factor, restOfFactor] = [1, 0, base, 0]; // each a sum of two numbers
  for (let left = n; left > 0; left = Math.floor(left / 2)) {
    if (left % 2) [found, rest] = times(found, rest, factor, restOfFactor);
    [factor, restOfFactor] = times(factor, restOfFactor, factor, restOfFactor);
  }
  return found;
}

/**
 * A product of two sums of two numbers.
 * @param {number} a
 * @param {number} restOfA
 * @param {number} b
 * @param {number} restOfB
 */
function times(a, restOfA, b, restOfB) {
  const [whole, lost] = product(a, b);
  const rest = lost + (a * restOfB + restOfA * b);
  return [whole + rest, rest - (whole + rest - whole)];
}

/**
 * The numbers of one step, the same for all that a parameter holds.
 * @typedef {object} Numbers
 * @property {number} keepM
 * @property {number} weightM
 * @property {number} keepV
 * @property {number} weightV
 * @property {number} c1 m is divided by it
 * @property {number} c2 v is divided by it
 * @property {number} eps
 * @property {number} rate lr, with the sign of the step
 */

/**
 * @param {Rule} rule
 * @param {Settings} settings
 * @param {number} t of the step, from 1
 * @param {number} index of the parameter, from 0
 * @param {number} count of the parameters
 * @returns {Numbers}
 */
function coefficients(rule, { lr, beta1, beta2, eps }, t, index = 0, count = 1) {
  const [b1, b2] = rule.swapped ? [beta2, beta1] : [beta1, beta2];
  /** @type {Record<string, number>} */
  const value = { "β₁": b1, "β₂": b2, "1−β₁": 1 - b1, "1−β₂": 1 - b2, 0: 0, 1: 1 };
  const correction = (/** @type {string | null} */ base, /** @type {string} */ clock) =>
    base ? 1 - power(value[base], time(clock, t, index, count)) : 1;
  return {
    keepM: value[rule.keep_m],
    weightM: value[rule.weight_m],
    keepV: value[rule.keep_v],
    weightV: value[rule.weight_v],
    c1: correction(rule.base_m, rule.clock_m),
    c2: correction(rule.base_v, rule.clock_v) ** rule.power_v,
    eps: eps ** rule.eps_power,
    rate: rule.sign * rule.factor * lr,
  };
}

/**
 * What a correction takes for t.
 * @param {string} clock "right", "from k", "frozen k", "per parameter" or "index"
 * @param {number} t
 * @param {number} index
 * @param {number} count
 */
function time(clock, t, index, count) {
  const [kind, number] = clock.split(" ");
  switch (kind) {
    case "from":
      return t + Number(number);
    case "frozen":
      return Number(number);
    case "per":
      return (t - 1) * count + index + 1;
    case "index":
      return index + 1;
    default:
      return t;
  }
}

/**
 * The rule, in the order of `adamlib.adam.update`: returns θₜ, and writes the new moments and what
 * the step was made of into the state.
 * @param {Rule} rule
 * @param {Numbers} numbers
 * @param {State} state
 * @param {number} param
 * @param {number} grad
 * @param {Arithmetic} arithmetic
 */
function update(rule, numbers, state, param, grad, { round, scalar }) {
  const { keepM, weightM, keepV, weightV, c1, c2, rate } = numbers;
  const g = rule.input === "late" ? state.last : grad;
  const first = state.t === 0;
  state.t += 1;
  state.last = grad;

  let m = g;
  if (!first || rule.m_starts !== "gradient")
    m = round(round(scalar(keepM) * state.m) + round(scalar(weightM) * g));
  const value = averaged(rule, g, m, round);
  let v = value;
  if (!first || rule.v_starts !== "gradient")
    v = round(round(scalar(keepV) * (rule.shared ? m : state.v)) + round(scalar(weightV) * value));
  if (rule.shared) m = v;
  state.mHat = round(scalar(1 / c1) * m);
  state.vHat = round(scalar(1 / c2) * v);
  if (rule.amsgrad === "max of v̂") {
    state.vHat = state.largest = Math.max(state.largest, state.vHat);
  } else if (rule.amsgrad === "max of v") {
    state.largest = Math.max(state.largest, v);
    state.vHat = round(scalar(1 / c2) * state.largest);
  }
  state.m = rule.m_starts === "corrected" ? state.mHat : m;
  state.v = rule.v_starts === "corrected" ? state.vHat : v;
  state.step = quotient(rule, numbers, state, { round, scalar });
  return round(param + round(scalar(rate) * state.step));
}

/**
 * What v averages.
 * @param {Rule} rule
 * @param {number} g
 * @param {number} m
 * @param {Arithmetic["round"]} round
 */
function averaged(rule, g, m, round) {
  switch (rule.v_of) {
    case "g²":
      return round(g * g);
    case "|g|":
      return Math.abs(g);
    case "m²":
      return round(m * m);
    default:
      return rule.v_of === "m" ? m : g;
  }
}

/**
 * What the step is before it is multiplied by lr: the formulas of `adamlib.dialects`, and where a
 * mistake puts eps.
 * @param {Rule} rule
 * @param {Numbers} numbers
 * @param {State} state
 * @param {Arithmetic} arithmetic
 */
function quotient(rule, { eps, c2 }, { mHat, vHat }, { round, scalar }) {
  const root = (/** @type {number} */ x) =>
    round(rule.power === 0.5 ? Math.sqrt(x) : x ** rule.power);
  const above = rule.eps_in_m ? round(mHat + round(eps)) : mHat;
  const left = rule.v_starts === "corrected" ? 1 : c2; // of the correction, after the moments
  switch (rule.placement) {
    case "outside":
      return round(above / round(root(vHat) + round(eps)));
    case "hat":
      return round(above / round(root(vHat) + round(eps / left ** rule.power)));
    case "inside":
      return round(above / root(round(vHat + round(eps))));
    case "inside-uncorrected":
      return round(above / root(round(vHat + round(eps / left))));
    case "added":
      return round(round(above / root(vHat)) + round(eps));
    case "missing":
      return round(above / root(vHat));
    case "none":
      return round(scalar(1.27) * round(Math.atan2(above, root(vHat))));
    default:
      throw new Error(`there is no formula for eps ${rule.placement}`);
  }
}

/** Clocks that differ from parameter to parameter. */
const OF_THEIR_OWN = ["index", "per parameter"];

/**
 * Take a step in float64 with all parameters, each a number; params and states are changed.
 * @param {Rule} rule
 * @param {Settings} settings
 * @param {number[]} params
 * @param {number[]} grads
 * @param {State[]} states
 */
function takeStep(rule, settings, params, grads, states) {
  const apart = OF_THEIR_OWN.includes(rule.clock_m) || OF_THEIR_OWN.includes(rule.clock_v);
  for (let turn = rule.twice ? 2 : 1; turn > 0; turn--) {
    const t = states[0].t + 1;
    let numbers = coefficients(rule, settings, t, 0, params.length);
    params.forEach((param, i) => {
      if (apart) numbers = coefficients(rule, settings, t, i, params.length);
      params[i] = update(rule, numbers, states[i], param, grads[i], FLOAT64);
    });
  }
}
