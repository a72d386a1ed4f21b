// What the upload page knows: the files that were chosen, how far they are, and what is kept of it.
import { forget, keep, recall } from "./upload-journal.js";
import { form, page } from "./upload-page.js";

const key = `${page.repository} ${page.revision} ${page.folder}`;

// By path: {path, size, modified, file, state, sha256, mode, replaces, refused, row, loaded, read, sending}.
export const items = new Map();
export const upload = {
  handles: [],
  run: null, // {controller, …} while files travel
  begun: false, // something was to be sent, in this visit or before a reload
  finished: false,
};

export function add({ path, file }) {
  const place = page.folder ? `${page.folder}/${path}` : path;
  const known = items.get(place);
  const same = known && known.size === file.size && known.modified === file.lastModified;
  const item = same ? known : { path: place, size: file.size, modified: file.lastModified, state: "waiting" };
  item.file = file;
  if (!["sent", "there", "small", "ignored", "refused"].includes(item.state)) item.state = "waiting";
  if (known && !same) known.row?.remove();
  items.set(place, item);
}

export function leave(item) {
  items.delete(item.path);
  item.row?.remove();
}

// Kept across reloads --------------------------------------------------------------------------------

let saving = null;
export function save() {
  // Many files end within a moment; one entry tells of them all.
  saving ??= setTimeout(() => {
    saving = null;
    if (upload.finished) return;
    // What was only chosen is no upload yet.
    if (!items.size || !upload.begun) return forget(key);
    const kept = [...items.values()].map(({ path, size, modified, state, sha256 }) => ({
      path, size, modified, sha256, state: state === "sent" || state === "there" ? "sent" : "waiting",
    }));
    return keep(key, { items: kept, handles: upload.handles, said: said() });
  }, 200);
}

// What is said of the commit and where it goes: the title, the reason, the way.
function said() {
  const given = new FormData(form);
  return Object.fromEntries(["title", "description", "way"].map((name) => [name, given.get(name) ?? ""]));
}

function sayAgain(kept) {
  for (const name of ["title", "description"]) form.elements[name].value ||= kept[name] ?? "";
  const way = form.querySelector(`[name="way"][value="${CSS.escape(kept.way)}"]`);
  if (way) way.checked = true;
}

// The items of an upload that a reload broke off, or nothing.
export async function remembered() {
  const kept = await recall(key);
  if (!kept?.items?.length) return undefined;
  for (const item of kept.items) if (!items.has(item.path)) items.set(item.path, item.state === "sent" ? { ...item, mode: "lfs" } : item);
  upload.handles = kept.handles ?? [];
  upload.begun = true;
  if (kept.said) sayAgain(kept.said);
  return kept.items;
}

export async function finish() {
  upload.finished = true;
  clearTimeout(saving);
  await forget(key);
}

export function forgetAll() {
  items.clear();
  Object.assign(upload, { begun: false, handles: [] });
  return forget(key);
}
