// What is wrong with the slide that is shown, all its fragments visible: one sentence each.
() => {
  const slide = document.querySelector(".slides > section.present");
  const wrong = [];
  const box = (element) => element.getBoundingClientRect();
  const shown = (element) =>
    box(element).width > 0 && !element.closest(".notes, .spoken") && getComputedStyle(element).visibility === "visible";
  const name = (element) =>
    `${element.tagName.toLowerCase()} ${JSON.stringify((element.alt || element.textContent || "").trim().slice(0, 40))}`;
  const all = (selector) => [...slide.querySelectorAll(selector)].filter(shown);

  const edge = box(slide);
  const foot = all("footer")[0];
  // parts of a formula are inside its container, whose box is measured
  const pieces = all("*").filter((each) => !each.closest("mjx-container") || each.matches("mjx-container, mjx-math"));
  for (const piece of pieces) {
    const { left, top, right, bottom } = box(piece);
    if (left < edge.left - 1 || right > edge.right + 1 || top < edge.top - 1 || bottom > edge.bottom + 1)
      wrong.push(`${name(piece)} is cut off at the edge`);
    else if (!piece.closest("footer") && bottom > box(foot).top + 1 && right > box(foot).left && left < box(foot).right)
      wrong.push(`${name(piece)} reaches into the foot`);
    if (piece.scrollWidth > piece.clientWidth + 1 && getComputedStyle(piece).overflowX !== "visible")
      wrong.push(`${name(piece)} scrolls sideways`);
    if (piece.scrollHeight > piece.clientHeight + 1 && getComputedStyle(piece).overflowY !== "visible")
      wrong.push(`${name(piece)} scrolls`);
  }
  const blocks = all("h1, h2, p, li, pre, img, table, blockquote, .equation > *").filter(
    (each) => !each.parentElement.closest("li, blockquote, table"),
  );
  for (const [i, one] of blocks.entries())
    for (const other of blocks.slice(i + 1)) {
      if (one.contains(other) || other.contains(one)) continue;
      const [a, b] = [box(one), box(other)];
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 1 && down > 1) wrong.push(`${name(one)} lies on ${name(other)}`);
    }
  for (const image of all("img")) {
    if (!image.naturalWidth) wrong.push(`${name(image)} is no picture`);
    if ((image.alt || "").length < 40) wrong.push(`${name(image)} has no words for who cannot see it`);
    const { width, height } = box(image);
    const scale = Math.min(width / image.naturalWidth, height / image.naturalHeight);
    if (image.naturalWidth * scale < 560) wrong.push(`${name(image)} is small`);
  }
  for (const text of all("p, li, td, pre"))
    if (parseFloat(getComputedStyle(text).fontSize) < 15) wrong.push(`${name(text)} is too small to read`);
  // a formula stays on its line: in words what stands beside a sign, and what MathJax set; code too
  const glyphs = (element) =>
    [...element.childNodes].flatMap((node) => {
      if (node.nodeType === Node.TEXT_NODE)
        return node.data.split("").map((letter, i) => {
          const range = new Range();
          range.setStart(node, i);
          range.setEnd(node, i + 1);
          return { letter, left: box(range).left, alone: node.data === letter };
        });
      if (node.nodeType !== Node.ELEMENT_NODE || node.matches(".spoken, .notes")) return [];
      return node.matches(".formula") ? [{ letter: "formula", left: box(node).left }] : glyphs(node);
    });
  for (const text of all("h1, h2, p, li, td, th")) {
    const row = glyphs(text).filter(({ letter }) => letter.trim());
    for (const [i, { letter, alone, left }] of row.entries())
      if (/^[=≈≠<>≤≥≪≫+−×]$/.test(letter) && !alone)
        if (row[i - 1]?.left >= left || row[i + 1]?.left <= left) wrong.push(`${name(text)} breaks at ${letter}`);
  }
  for (const piece of all("code, .formula").filter((each) => each.closest("p, li, td"))) {
    if (piece.getClientRects().length > 1) wrong.push(`${name(piece)} breaks`);
    if (box(piece).right > box(piece.closest("p, li, td")).right + 1) wrong.push(`${name(piece)} sticks out`);
  }
  if (slide.querySelector("mjx-merror, merror")) wrong.push("a formula is refused");
  for (const text of all("h1, h2, p, li, td")) {
    const words = text.cloneNode(true);
    words.querySelectorAll("code").forEach((code) => code.remove());
    if (/\$|\\\w|\{\{/.test(words.textContent)) wrong.push(`${name(text)} shows what it was made of`);
  }
  if (document.documentElement.scrollHeight > innerHeight || document.documentElement.scrollWidth > innerWidth)
    wrong.push("the page scrolls");
  if (!all("p:not(.clock), li, pre, img, table, .equation").length) wrong.push("there is nothing on it");
  return wrong;
};
