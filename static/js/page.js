// Small comforts on every page; each works on the whole document, so swapped fragments have them too.

// Copy buttons: data-copy holds the text, or data-copy-from the id of the element that shows it.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copyFrom);
  const text = source ? source.innerText.replace(/\n$/, "") : button.dataset.copy;
  const word = button.querySelector("[data-said]");
  let copied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copied = copyBySelection(text);
  }
  if (!copied) return;
  button.classList.add("is-done");
  if (word) word.textContent = word.dataset.said;
  setTimeout(() => {
    button.classList.remove("is-done");
    if (word) word.textContent = "";
  }, 2000);
});

// Plain HTTP pages have no clipboard API.
function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}

// Menus: close on Escape and on a click elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu-box[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details.menu-box[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  }
});

// On a phone tabs and sections scroll: begin with the one we are on; a calendar, with today.
for (const tab of document.querySelectorAll(":is(.tabs, .side-nav) [aria-current]")) {
  const strip = tab.closest(".tabs, .side-nav");
  strip.scrollLeft = tab.offsetLeft - strip.offsetLeft - (strip.clientWidth - tab.clientWidth) / 2;
}
for (const drawing of document.querySelectorAll(".calendar")) {
  drawing.parentElement.scrollLeft = drawing.parentElement.scrollWidth;
}

// Relative times stay true while the page is open.
const UNITS = [
  ["year", 31536000],
  ["month", 2592000],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];
const format = new Intl.RelativeTimeFormat(document.documentElement.lang, { style: "narrow" });

function refreshTimes() {
  for (const element of document.querySelectorAll("time[data-relative]")) {
    const seconds = (new Date(element.dateTime) - Date.now()) / 1000;
    const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? UNITS.at(-1);
    element.textContent = format.format(Math.trunc(seconds / size), unit);
  }
}
refreshTimes();
setInterval(refreshTimes, 30000);
document.addEventListener("htmx:afterSettle", refreshTimes);

// Logs follow their end unless the reader scrolled up.
function followLogs() {
  for (const log of document.querySelectorAll("[data-follow]")) log.scrollTop = log.scrollHeight;
}
let following = true;
document.addEventListener("htmx:beforeSwap", () => {
  const log = document.querySelector("[data-follow]");
  following = !log || log.scrollTop + log.clientHeight >= log.scrollHeight - 24;
});
document.addEventListener("htmx:afterSettle", () => following && followLogs());
followLogs();

// One line of a file, named by its number in the address: #L12 or #L12-L20.
function markLines() {
  const range = /^#L(\d+)(?:-L(\d+))?$/.exec(location.hash);
  for (const row of document.querySelectorAll(".is-marked")) row.classList.remove("is-marked");
  if (!range) return;
  const [first, last] = [Number(range[1]), Number(range[2] ?? range[1])];
  for (let line = first; line <= Math.min(last, first + 5000); line += 1) {
    document.getElementById(`L${line}`)?.classList.add("is-marked");
  }
  document.getElementById(`L${first}`)?.scrollIntoView({ block: "center" });
}
addEventListener("hashchange", markLines);
markLines();
document.addEventListener("click", (event) => {
  const link = event.target.closest(".code a[data-line]");
  const start = /^#L(\d+)/.exec(location.hash);
  if (!link || !event.shiftKey || !start) return;
  event.preventDefault();
  const ends = [Number(start[1]), Number(link.dataset.line)].sort((a, b) => a - b);
  location.hash = `L${ends[0]}-L${ends[1]}`;
});
