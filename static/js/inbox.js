// Keys of the inbox: j and k move, e is done, r read, m mute; Enter follows the link by itself.
const rows = () => [...document.querySelectorAll("[data-row]")];
const BUTTONS = { e: "done", r: "read", m: "mute" };

function current(list) {
  return list.findIndex((row) => row.contains(document.activeElement));
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  const list = rows();
  const at = current(list);
  if (event.key === "j" || event.key === "k") {
    const next = event.key === "j" ? Math.min(at + 1, list.length - 1) : Math.max(at - 1, 0);
    list[next]?.querySelector("[data-open]").focus();
  } else if (BUTTONS[event.key] && at >= 0) {
    list[at].querySelector(`button[name="${BUTTONS[event.key]}"]`)?.click();
  } else return;
  event.preventDefault();
});

// After a row went, the next one in its place has the focus, so that e e e empties the list.
const KEY = "inbox-row";
document.querySelector("[data-inbox]")?.addEventListener("submit", () => {
  const at = current(rows());
  try {
    if (at >= 0) sessionStorage.setItem(KEY, String(at));
  } catch {
    // Storage can be switched off: the list begins at its top.
  }
});
try {
  const kept = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  const list = rows();
  if (kept !== null) list[Math.min(Number(kept), list.length - 1)]?.querySelector("[data-open]").focus();
} catch {
  // As above.
}
