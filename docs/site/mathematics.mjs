// Typesets formulas with MathJax when the site is built, so that its pages need no script for them.
//
// A line of JSON in, `{"tex": …, "display": …}`, a line out, `{"html": …, "mathml": …}`.
// The line `{"css": true}` is answered with the style sheet for all that was typeset before it.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder] = process.argv.slice(2); // where the packages are installed
const { default: MathJax } = await import(
  pathToFileURL(createRequire(`${folder}/package.json`).resolve("mathjax"))
);

await MathJax.init({
  loader: { load: ["input/tex", "output/chtml", "adaptors/liteDOM"] },
  output: { font: "mathjax-newcm", fontPath: "@mathjax/mathjax-newcm-font" },
  chtml: { fontURL: "fonts", adaptiveCSS: true },
});
const adaptor = MathJax.startup.adaptor;

async function answer({ tex, display, css }) {
  if (css) return { css: adaptor.textContent(MathJax.chtmlStylesheet()) };
  const node = await MathJax.tex2chtmlPromise(tex, { display });
  return { html: adaptor.outerHTML(node), mathml: MathJax.tex2mml(tex, { display }) };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + "\n");
}
