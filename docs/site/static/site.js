// @ts-check
// What every page does: show how much of it is read, let the keyboard reach what scrolls sideways,
// and open what is folded before the page is printed.
"use strict";

const SCROLLERS = ".equation > .formula, .highlight pre, .table-wrapper, .text_html, details pre";

/** @returns {number} the share of the page that is read, from 0 to 1 */
function shareRead() {
  const page = document.documentElement;
  const way = page.scrollHeight - window.innerHeight;
  return way > 0 ? Math.min(1, window.scrollY / way) : 1;
}

function showReading() {
  document.documentElement.style.setProperty("--read", shareRead().toFixed(4));
}

/** Make formulas smaller, down to two thirds, where they are wider than the screen. */
function fitFormulas() {
  for (const each of document.querySelectorAll(".equation > .formula")) {
    const formula = /** @type {HTMLElement} */ (each);
    formula.style.fontSize = "";
    const share = formula.clientWidth / formula.scrollWidth;
    if (share < 1) formula.style.fontSize = `${Math.max(66, Math.floor(share * 98))}%`;
  }
}

function letKeyboardScroll() {
  for (const each of document.querySelectorAll(SCROLLERS)) {
    if (each.scrollWidth > each.clientWidth) each.setAttribute("tabindex", "0");
    else each.removeAttribute("tabindex");
  }
}

function begin() {
  const strip = document.createElement("div");
  strip.className = "reading-strip";
  strip.setAttribute("aria-hidden", "true");
  document.body.append(strip);
  showReading();
  fitFormulas();
  letKeyboardScroll();
  document.fonts.ready.then(fitFormulas).then(letKeyboardScroll);
  addEventListener("scroll", showReading, { passive: true });
  addEventListener("resize", () => {
    showReading();
    fitFormulas();
    letKeyboardScroll();
  });
  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("details")) each.open = true;
  });
}

begin();
