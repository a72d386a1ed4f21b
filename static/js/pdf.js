// Shows a PDF, page by page, in a frame that has neither our origin nor any network. The frame gets
// the bytes, which were fetched here as any download is, and the library that reads them.
const place = document.querySelector("[data-pdf]");
const frame = place.querySelector("iframe");
const number = place.querySelector("input");
const total = place.querySelector("[data-pdf-total]");
const shown = place.querySelector("[data-pdf-shown]");
const said = place.querySelector("[role=status]");
const button = (name) => place.querySelector(`[data-pdf-do="${name}"]`);
const dark = matchMedia("(prefers-color-scheme: dark)");
const PATIENCE_MS = 60_000;
const STEP = 1.25;
const LEAST = 0.1;
const MOST = 8;
let port;
let patience;
let pages = 0;
let page = 1;
let zoom = 0; // 0: as wide as the frame
let scale = 1;

function isDark() {
  const theme = document.documentElement.dataset.theme;
  return theme === "auto" ? dark.matches : theme === "dark";
}

async function fetched(address, read) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer[read]();
}

function wait() {
  clearTimeout(patience);
  patience = setTimeout(() => fail("slow"), PATIENCE_MS);
}

// What is wrong stands where the pages would; the download stays.
function fail(kind) {
  clearTimeout(patience);
  port?.close();
  frame.remove();
  const words = place.dataset;
  const sentence = { PasswordException: words.locked, InvalidPDFException: words.broken, slow: words.slow, fetch: words.lost }[kind];
  place.querySelector("[data-pdf-why]").textContent = sentence ?? words.failed;
  place.classList.remove("is-open");
  place.classList.add("is-refused");
  for (const each of place.querySelectorAll("button, input")) each.disabled = true;
}

function stands() {
  clearTimeout(patience);
  number.value = page;
  button("back").disabled = page === 1;
  button("on").disabled = page === pages;
}

// One page that cannot be painted; the others may be.
function leave() {
  stands();
  place.querySelector("[data-pdf-why]").textContent = place.dataset.failed;
  place.classList.remove("is-open");
  place.classList.add("is-blank");
}

function ask() {
  wait();
  port.postMessage({ wish: { page, zoom } });
}

function go(wanted) {
  const next = Math.min(Math.max(1, Math.round(wanted) || page), pages);
  number.value = next;
  if (next === page || !pages) return;
  page = next;
  ask();
}

function magnify(wanted) {
  zoom = wanted && Math.min(Math.max(LEAST, wanted), MOST);
  ask();
}

function hear({ data }) {
  if (data.error) return pages ? leave() : fail(data.error);
  if (data.step) return go(page + data.step);
  clearTimeout(patience);
  if (data.pages) {
    pages = data.pages;
    total.textContent = `/ ${pages}`;
    number.max = pages;
    for (const each of place.querySelectorAll("button, input")) each.disabled = false;
    return ask();
  }
  ({ page, scale } = data);
  stands();
  place.classList.remove("is-blank");
  place.classList.add("is-open");
  shown.textContent = `${Math.round(scale * 100)} %`;
  button("fit").setAttribute("aria-pressed", String(!zoom));
  said.textContent = place.dataset.told.replace("{page}", page).replace("{pages}", pages);
}

button("back").addEventListener("click", () => go(page - 1));
button("on").addEventListener("click", () => go(page + 1));
button("smaller").addEventListener("click", () => magnify(scale / STEP));
button("larger").addEventListener("click", () => magnify(scale * STEP));
button("fit").addEventListener("click", () => magnify(0));
number.addEventListener("change", () => go(number.valueAsNumber));

const tell = () => port?.postMessage({ dark: isDark() });
document.addEventListener("themechange", tell);
dark.addEventListener("change", tell);

async function begin() {
  const { source, library, worker } = place.dataset;
  const loaded = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
  frame.src = place.dataset.pdf;
  let parts;
  try {
    parts = await Promise.all([fetched(source, "arrayBuffer"), fetched(library, "text"), fetched(worker, "text"), loaded]);
  } catch {
    return fail("fetch");
  }
  const [bytes, code, read] = parts;
  const { port1, port2 } = new MessageChannel();
  port = port1;
  port.onmessage = hear;
  // The frame has no origin of its own to name; it holds nothing but what is sent here.
  frame.contentWindow.postMessage("begin", "*", [port2]);
  wait();
  port.postMessage({ bytes, code, worker: read, dark: isDark() }, [bytes]);
}
begin();
