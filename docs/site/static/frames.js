// @ts-check
// A slider of a notebook where no kernel runs: a picture a value, fetched when it is chosen.
"use strict";

/** @typedef {{value: string, picture: string, says: string}} Frame */

/**
 * @param {HTMLElement} figure
 * @param {{frames: Frame[]}} data
 */
function exploreFrames(figure, { frames }) {
  const { words, input, begin } = controlsOf(figure);
  const slider = input("frame");
  const before = [...document.querySelectorAll("article img")].filter(
    (image) => image.compareDocumentPosition(figure) & Node.DOCUMENT_POSITION_FOLLOWING,
  );
  const image = /** @type {HTMLImageElement} */ (before[before.length - 1]);

  function show() {
    const { value, says } = frames[Number(slider.value)];
    showValue(slider, value);
    words.textContent = says;
  }

  slider.addEventListener("input", () => {
    const { picture } = frames[Number(slider.value)];
    image.src = picture;
    image.closest("a")?.setAttribute("href", picture);
    show();
  });
  begin();
  show();
}

forEachFigure(".play.frames", exploreFrames);
