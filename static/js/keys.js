// Buttons that a key presses: data-key="1" inside data-keys. Only while the focus is in there, and
// never while somebody types, so that no single key surprises anybody elsewhere on the page.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  const place = event.target.closest?.("[data-keys]");
  const button = place?.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!button || button.disabled) return;
  event.preventDefault();
  button.click();
});
