// Draws the diagrams of cards and comments, each in a frame that has neither our origin nor any
// network. The library is fetched once, when the first diagram comes near; the source stays under
// it. What they are drawn with, and the words, stand at the tag that loads this script.
const told = document.querySelector("script[data-diagrams]").dataset;
const dark = matchMedia("(prefers-color-scheme: dark)");
let library;

function code() {
  library ??= fetch(told.library).then((answer) => {
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    return answer.text();
  });
  return library;
}

function isDark() {
  const theme = document.documentElement.dataset.theme;
  return theme === "auto" ? dark.matches : theme === "dark";
}

function ask(frame, message) {
  return new Promise((resolve, reject) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => (data.drawn ? resolve() : reject(new Error(data.error)));
    // The frame has no origin of its own to name; it holds nothing but what is sent here.
    frame.contentWindow.postMessage(message, "*", [port2]);
  });
}

async function draw(block) {
  const source = block.textContent;
  const frame = document.createElement("iframe");
  frame.className = "diagram-frame";
  frame.title = told.name;
  frame.setAttribute("sandbox", "allow-scripts");
  const loaded = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
  frame.src = told.diagrams;
  block.before(frame);
  const show = async () => ask(frame, { code: await code(), source, dark: isDark() });
  try {
    await loaded;
    await show();
  } catch {
    frame.remove(); // It is no diagram that can be drawn: the source says what it says.
    const said = document.createElement("p");
    said.className = "diagram-failed";
    said.textContent = told.failed;
    block.before(said);
    block.classList.add("is-source");
    return;
  }
  const details = document.createElement("details");
  details.className = "diagram-source";
  const summary = document.createElement("summary");
  summary.textContent = told.source;
  block.before(details);
  details.append(summary, block);
  frame.classList.add("is-drawn");
  const again = () => show().catch(() => {});
  document.addEventListener("themechange", again);
  dark.addEventListener("change", again);
}

const near = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      draw(target);
    }
  },
  { rootMargin: "400px" },
);

const seen = new WeakSet();
function watch(part) {
  for (const block of part.querySelectorAll(".prose pre.diagram")) {
    if (seen.has(block)) continue;
    seen.add(block);
    near.observe(block);
  }
}
watch(document);
// A preview, or a part of the page that was asked for anew.
document.addEventListener("htmx:load", ({ detail }) => watch(detail.elt));
