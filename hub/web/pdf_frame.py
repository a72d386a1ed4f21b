"""The frame that a PDF's pages are painted in.

pdf.js reads what anybody wrote. So it runs in a frame without our origin: no cookies, no network,
no way out but messages that say which page is shown. The page hands it the library's code and the
document's bytes, one port, and the wish for a page; programs, forms and links of the document are
never built. The reading itself is done by a worker of the frame, so that a slow one hangs nothing.
"""

from __future__ import annotations

from hub.http.sealed_frames import sealed_frame

SCRIPT = """
"use strict";
const SIDE = 8000, PIXELS = 16000000; // of what is painted, at most
const paper = document.getElementById("paper");
let port, library, pdf, wish, drawing, turn = 0;

function address(code) {
  return URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
}
// Without an origin a worker cannot be a module; it can import one.
function reader(code) {
  const worker = new Worker(address(`import("${address(code)}")`));
  return new Promise((resolve, reject) => {
    worker.addEventListener("message", () => resolve(worker), { once: true });
    worker.addEventListener("error", reject, { once: true });
  });
}
async function open({ code, worker, bytes }) {
  library = await import(address(code));
  library.GlobalWorkerOptions.workerPort = await reader(worker);
  pdf = await library.getDocument({
    data: bytes, isEvalSupported: false, enableXfa: false, useWasm: false, useWorkerFetch: false,
    maxImageSize: 4 * PIXELS, verbosity: 0,
  }).promise;
  port.postMessage({ pages: pdf.numPages });
}
async function paint() {
  const mine = ++turn, { page, zoom } = wish;
  drawing?.cancel();
  const sheet = await pdf.getPage(page);
  const plain = sheet.getViewport({ scale: 1 });
  const wanted = zoom || (document.documentElement.clientWidth - 32) / plain.width;
  const scale = Math.min(wanted, SIDE / plain.width, SIDE / plain.height);
  const viewport = sheet.getViewport({ scale });
  const { width, height } = viewport;
  if (!(width >= 1 && height >= 1)) throw new Error("a page without a size");
  const fine = Math.min(devicePixelRatio, Math.sqrt(PIXELS / (width * height)));
  const canvas = document.createElement("canvas");
  canvas.width = Math.floor(width * fine);
  canvas.height = Math.floor(height * fine);
  canvas.setAttribute("aria-hidden", "true");
  if (mine !== turn) return;
  const transform = [fine, 0, 0, fine, 0, 0];
  // As for paper: it does not wait for the frame to be in view.
  drawing = sheet.render({ canvas, viewport, transform, intent: "print" });
  await drawing.promise;
  const layer = document.createElement("div");
  layer.id = "words";
  layer.style.setProperty("--total-scale-factor", scale);
  const text = { textContentSource: sheet.streamTextContent(), container: layer, viewport };
  await new library.TextLayer(text).render();
  if (mine !== turn) return;
  paper.style.width = `${width}px`;
  paper.style.height = `${height}px`;
  paper.replaceChildren(canvas, layer);
  if (page !== Number(paper.dataset.page)) scrollTo(0, 0);
  paper.dataset.page = page;
  port.postMessage({ page, scale });
}
async function answer({ data }) {
  try {
    if (data.bytes) await open(data);
    if ("dark" in data) document.documentElement.style.colorScheme = data.dark ? "dark" : "light";
    if (data.wish) {
      wish = data.wish;
      await paint();
    }
  } catch (error) {
    if (error?.name !== "RenderingCancelledException")
      port.postMessage({ error: error?.name ?? "Error" });
  }
}
addEventListener("message", (event) => {
  if (port || !event.ports[0]) return;
  port = event.ports[0];
  port.onmessage = answer;
});
let resized;
addEventListener("resize", () => {
  clearTimeout(resized);
  if (wish && !wish.zoom) resized = setTimeout(() => answer({ data: { wish } }), 150);
});
addEventListener("keydown", ({ key, ctrlKey, metaKey, altKey }) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (step && port && !ctrlKey && !metaKey && !altKey) port.postMessage({ step });
});
"""
STYLE = (
    "html{background:light-dark(#e4e6e9,#16191e);height:100%}"
    "body{margin:0;padding:16px;box-sizing:border-box;min-height:100%;width:max-content;"
    "min-width:100%;display:grid;justify-content:center;align-content:start}"
    "#paper{position:relative;background:#fff;color-scheme:light;box-shadow:0 1px 4px #0005}"
    "#paper:empty,.hiddenCanvasElement{display:none}"
    "#paper canvas{display:block;width:100%;height:100%}"
    "#words{position:absolute;inset:0;overflow:clip;line-height:1;transform-origin:0 0;"
    "--min-font-size:1;--text-scale-factor:calc(var(--total-scale-factor)*var(--min-font-size));"
    "--min-font-size-inv:calc(1/var(--min-font-size))}"
    "#words :is(span,br){color:transparent;position:absolute;white-space:pre;cursor:text;"
    "transform-origin:0 0}#words .markedContent{display:contents}"
    "#words>:not(.markedContent),#words .markedContent span:not(.markedContent){--font-height:0;"
    "font-size:calc(var(--text-scale-factor)*var(--font-height));--scale-x:1;--rotate:0deg;"
    "transform:rotate(var(--rotate)) scaleX(var(--scale-x)) scale(var(--min-font-size-inv))}"
    "#words ::selection{background:#2a6fdb55;color:transparent}"
    "#words .endOfContent{display:none}"
)
frame = sealed_frame("PDF", '<div id="paper"></div>', style=STYLE, script=SCRIPT, workers=True)
