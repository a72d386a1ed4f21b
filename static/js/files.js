// Comforts of pages about files; every page works without them.

const typing = (target) => target.closest?.("input, textarea, select, [contenteditable]");

// One key follows a link: data-hotkey="t". A link that keeps lines takes #L3-L9 along.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event.target)) return;
  const link = document.querySelector(`a[data-hotkey="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!link) return;
  event.preventDefault();
  link.click();
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-keeps-lines]");
  if (link) link.hash = location.hash;
});

// The menu of revisions shows what fits what is typed; Enter asks the page that knows all.
document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-ref-filter]")) return;
  const word = event.target.value.trim().toLowerCase();
  for (const link of event.target.closest(".ref-menu").querySelectorAll(".ref-lists a")) {
    link.hidden = !link.textContent.toLowerCase().includes(word);
  }
});
for (const box of document.querySelectorAll("details.ref-box")) {
  box.addEventListener("toggle", () => box.open && box.querySelector("[data-ref-filter]").focus());
}

// Arrow keys walk through what was found; Enter opens the first.
document.addEventListener("keydown", (event) => {
  const finder = event.target.closest?.(".finder");
  if (!finder) return;
  const links = [...finder.querySelectorAll(".found a")];
  const at = links.indexOf(document.activeElement);
  if (event.key === "Enter" && at < 0 && links.length) {
    event.preventDefault();
    links[0].click();
  } else if (event.key === "ArrowDown" && at < links.length - 1) {
    event.preventDefault();
    links[at + 1].focus();
  } else if (event.key === "ArrowUp" && at >= 0) {
    event.preventDefault();
    (links[at - 1] ?? finder.querySelector("input")).focus();
  }
});

// A line that stands on another page of a long file.
function turnToLine() {
  const code = document.querySelector("[data-lines-a-page]");
  const line = /^#L(\d+)/.exec(location.hash);
  if (!code || !line || document.getElementById(`L${line[1]}`)) return;
  const address = new URL(location.href);
  const page = String(Math.ceil(Number(line[1]) / Number(code.dataset.linesAPage)));
  if (address.searchParams.get("page") === page) return;
  address.searchParams.set("page", page);
  location.replace(address);
}
turnToLine();
addEventListener("hashchange", turnToLine);
