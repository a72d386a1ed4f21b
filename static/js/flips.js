// Examples by keyboard: n and p lead to the next and the previous one, over the ends of a page too.
// Only while the focus is in the list, and never while somebody types; the buttons at its head do
// the same and bring the focus there.
const list = document.querySelector("[data-flips]");
const flips = [...(list?.querySelectorAll(".flip") ?? [])];
const FIRST = "#first-example";
const LAST = "#last-example";

let current = -1;

function show(flip) {
  current = flips.indexOf(flip);
  flip.focus({ preventScroll: true });
  flip.scrollIntoView({ block: "start" });
}

function go(step) {
  const next = flips[current + step];
  if (next) return show(next);
  const link = document.querySelector(step > 0 ? 'a[rel="next"]' : 'a[rel="prev"]');
  if (link) location.href = `${link.href}${step > 0 ? FIRST : LAST}`;
}

if (flips.length) {
  const keys = list.querySelector("[data-flip-keys]");
  keys.hidden = false;
  keys.addEventListener("click", (event) => {
    const button = event.target.closest("[data-step]");
    if (button) go(Number(button.dataset.step));
  });
  list.addEventListener("focusin", (event) => {
    const flip = event.target.closest(".flip");
    if (flip) current = flips.indexOf(flip);
  });
  list.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select")) return;
    const step = { n: 1, p: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    go(step);
  });
  if (location.hash === FIRST) show(flips[0]);
  if (location.hash === LAST) show(flips.at(-1));
}
