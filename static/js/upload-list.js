// The list of chosen files: a row for each, and what is said of them all.
import { action, bytes, element, percent, say } from "./upload-page.js";
import { items, leave, save, upload } from "./upload-state.js";

const ROWS_SHOWN = 300;
export const list = element("upload-list");
export const rows = element("upload-rows");

function rowOf(item) {
  // What the hub refuses is shown always, and first.
  if (item.row || (rows.children.length >= ROWS_SHOWN && !item.refused)) return item.row;
  item.row = element("upload-row").content.firstElementChild.cloneNode(true);
  item.row.querySelector(".upload-name").textContent = item.path;
  item.row.querySelector(".upload-size").textContent = bytes(item.size);
  item.row.querySelector("progress").ariaLabel = item.path;
  item.row.querySelector("button").addEventListener("click", () => {
    leave(item);
    save();
    show();
  });
  rows.append(item.row);
  return item.row;
}

function stateOf(item, state) {
  const word = say(state[0].toUpperCase() + state.slice(1));
  return state === "hashing" ? `${word} · ${percent.format((item.read ?? 0) / (item.size || 1))}` : word;
}

// What its reader should know of a file before it is sent.
function noteOf(item) {
  if (item.refused) return item.refused;
  return item.replaces === undefined ? "" : say("Replaces", { size: bytes(item.replaces) });
}

export function showItem(item) {
  const row = rowOf(item);
  if (!row) return;
  const state = !item.file && item.state === "waiting" ? "missing" : item.state;
  if (state === "refused" && row.dataset.state !== state) rows.prepend(row);
  row.dataset.state = state;
  row.querySelector(".upload-state").textContent = stateOf(item, state);
  const note = row.querySelector(".upload-note");
  note.textContent = noteOf(item);
  note.hidden = !note.textContent;
  row.querySelector("progress").value = ["sent", "there"].includes(state) ? 1 : (item.loaded ?? 0) / (item.size || 1);
  row.querySelector("button").hidden = Boolean(upload.run);
}

export function show() {
  for (const item of items.values()) showItem(item);
  const all = [...items.values()];
  list.hidden = !all.length;
  const more = all.length > ROWS_SHOWN ? ` · ${say("More", { count: all.length - ROWS_SHOWN })}` : "";
  const replaced = all.filter((item) => item.replaces !== undefined && !item.refused).length;
  const over = replaced ? ` · ${say("Replacing", { count: replaced })}` : "";
  element("upload-sum").textContent = `${all.length} · ${bytes(all.reduce((sum, item) => sum + item.size, 0))}${more}${over}`;
  action("clear").hidden = Boolean(upload.run);
  const refused = all.filter((item) => item.refused).length;
  const complaint = element("upload-refused");
  complaint.hidden = !refused;
  complaint.querySelector("[data-text]").textContent = say("RefusedAll", { count: refused });
}
