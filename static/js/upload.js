// The upload page: what was chosen, how far it is, and one commit at the end.
import { entriesOf, filesOfEntries, filesOfHandles, filesOfInput, handlesOf } from "./upload-files.js";
import { forget, keep, recall } from "./upload-journal.js";
import { Refused, Stopped, ask, base64, digest, sendLarge } from "./upload-send.js";

const form = document.getElementById("upload");
const page = form.dataset;
const key = `${page.repository} ${page.revision} ${page.folder}`;
const element = (id) => document.getElementById(id);
const [list, rows, total, words, bar] = ["upload-list", "upload-rows", "upload-total", "upload-words", "upload-progress"].map(element);
const action = (name) => form.querySelector(`[data-do="${name}"]`);
const say = (name, values = {}) =>
  (page[`say${name}`] ?? "").replace(/\{(\w+)\}/g, (_, word) => values[word] ?? "");
const ROWS_SHOWN = 300;
const ASKED_AT_ONCE = 500;
const SAMPLE_BYTES = 512;

// By path: {path, size, modified, file, state, sha256, mode, replaces, refused, row, loaded, read, sending}.
const items = new Map();
let handles = [];
let run = null; // {controller, …} while files travel
let begun = false; // something was to be sent, in this visit or before a reload
let finished = false;

const percent = new Intl.NumberFormat(document.documentElement.lang, { style: "percent" });
const units = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 });
function bytes(number) {
  const names = ["B", "KB", "MB", "GB", "TB"];
  const power = number < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(number) / 3));
  return `${units.format(number / 1000 ** power)} ${names[power]}`;
}

// The list ---------------------------------------------------------------------------------------

function add({ path, file }) {
  const place = page.folder ? `${page.folder}/${path}` : path;
  const known = items.get(place);
  const same = known && known.size === file.size && known.modified === file.lastModified;
  const item = same ? known : { path: place, size: file.size, modified: file.lastModified, state: "waiting" };
  item.file = file;
  if (!["sent", "there", "small", "ignored", "refused"].includes(item.state)) item.state = "waiting";
  if (known && !same) known.row?.remove();
  items.set(place, item);
}

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

function leave(item) {
  items.delete(item.path);
  item.row?.remove();
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

function showItem(item) {
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
  row.querySelector("button").hidden = Boolean(run);
}

function show() {
  for (const item of items.values()) showItem(item);
  const all = [...items.values()];
  list.hidden = !all.length;
  const more = all.length > ROWS_SHOWN ? ` · ${say("More", { count: all.length - ROWS_SHOWN })}` : "";
  const replaced = all.filter((item) => item.replaces !== undefined && !item.refused).length;
  const over = replaced ? ` · ${say("Replacing", { count: replaced })}` : "";
  element("upload-sum").textContent = `${all.length} · ${bytes(all.reduce((sum, item) => sum + item.size, 0))}${more}${over}`;
  action("clear").hidden = Boolean(run);
  const refused = all.filter((item) => item.refused).length;
  const complaint = element("upload-refused");
  complaint.hidden = !refused;
  complaint.querySelector("[data-text]").textContent = say("RefusedAll", { count: refused });
}

// How quick reading and sending are, of the time in which they went on.
class Pace {
  bytes = 0;
  ms = 0;
  // Hear of one file: what is there already when it begins costs no time.
  of() {
    let last = null;
    return (loaded) => {
      const now = performance.now();
      if (last) {
        this.bytes += loaded - last.loaded;
        this.ms += now - last.now;
      }
      last = { loaded, now };
    };
  }
  seconds = (left) => (this.bytes > 0 && this.ms > 1000 ? (left * this.ms) / this.bytes / 1000 : 0);
}

let reading = new Pace();
let sending = new Pace();
function progress() {
  const large = [...items.values()].filter((item) => item.mode === "lfs");
  const sum = (count) => large.reduce((total, item) => total + count(item), 0);
  const all = sum((item) => item.size);
  const done = sum((item) => (item.state === "sent" || item.state === "there" ? item.size : (item.sending ?? 0)));
  const read = sum((item) => (item.sha256 ? item.size : (item.read ?? 0)));
  bar.max = 2 * all || 1;
  bar.value = read + done;
  if (!done) return (words.textContent = say("Reading", { done: bytes(read), all: bytes(all) }));
  // While one file travels the next is read: the slower of both decides.
  const left = Math.ceil(Math.max(sending.seconds(all - done), reading.seconds(all - read)));
  const time = left > 90 ? `${Math.round(left / 60)} min` : `${left} s`;
  words.textContent = say("Of", { done: bytes(done), all: bytes(all) }) + (left ? ` · ${say("Left", { time })}` : "");
}

// Kept across reloads --------------------------------------------------------------------------------

let saving = null;
function save() {
  // Many files end within a moment; one entry tells of them all.
  saving ??= setTimeout(() => {
    saving = null;
    if (finished) return;
    // What was only chosen is no upload yet.
    if (!items.size || !begun) return forget(key);
    const kept = [...items.values()].map(({ path, size, modified, state, sha256 }) => ({
      path, size, modified, sha256, state: state === "sent" || state === "there" ? "sent" : "waiting",
    }));
    return keep(key, { items: kept, handles, said: said() });
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

async function remember() {
  const kept = await recall(key);
  if (!kept?.items?.length) return;
  for (const item of kept.items) if (!items.has(item.path)) items.set(item.path, item.state === "sent" ? { ...item, mode: "lfs" } : item);
  handles = kept.handles ?? [];
  begun = true;
  if (kept.said) sayAgain(kept.said);
  const again = element("upload-again");
  const text = again.querySelector("[data-text]");
  const done = kept.items.filter((item) => item.state === "sent").length;
  text.textContent = text.dataset.text.replace("{done}", done).replace("{all}", kept.items.length);
  action("reopen").hidden = !handles.length;
  again.hidden = false;
  show();
}

async function reopen() {
  for (const handle of handles) {
    if ((await handle.requestPermission({ mode: "read" })) !== "granted") return;
  }
  await take(filesOfHandles(handles));
}

// A folder that is a clone holds git's own folder, which no commit can hold.
const isOfGit = (path) => /(^|\/)\.git(\/|$)/i.test(path);

let leftOut = 0;
async function take(found) {
  let left = 0;
  try {
    for await (const each of found) {
      if (isOfGit(each.path)) left += 1;
      else add(each);
    }
  } catch {
    stopped(say("Unreadable", { path: "" }));
  }
  element("upload-again").hidden = true;
  const note = element("upload-left");
  leftOut += left;
  note.hidden = !leftOut;
  note.textContent = say("LeftOut", { count: leftOut });
  save();
  show();
  await lookAhead();
}

// What the hub says of paths is shown before anything is sent; `work` asks what this did not learn.
let ahead = new AbortController();
async function lookAhead() {
  ahead = new AbortController();
  try {
    await sortOut({ signal: ahead.signal, say: () => {} });
  } catch (error) {
    if (!(error instanceof Refused || error instanceof Stopped || ahead.signal.aborted)) throw error;
  }
}

function clear() {
  items.clear();
  begun = false;
  leftOut = 0;
  handles = [];
  reading = new Pace();
  sending = new Pace();
  element("upload-left").hidden = element("upload-refused").hidden = true;
  rows.replaceChildren();
  total.hidden = list.hidden = element("upload-again").hidden = true;
  form.reset();
  return forget(key);
}

// The work ---------------------------------------------------------------------------------------

async function sortOut(context) {
  const asked = [...items.values()].filter((item) => !item.mode && item.file);
  for (let start = 0; start < asked.length; start += ASKED_AT_ONCE) {
    const some = asked.slice(start, start + ASKED_AT_ONCE);
    const files = await Promise.all(some.map(async ({ path, size, file }) => ({ path, size, sample: await base64(file.slice(0, SAMPLE_BYTES)) })));
    const answer = await ask(page.preupload + proposing(), { files }, context);
    const modes = new Map(answer.files.map((each) => [each.path, each]));
    for (const item of some) {
      const told = modes.get(item.path);
      item.replaces = told?.size;
      item.refused = told?.shouldIgnore ? "" : (told?.refused ?? "");
      item.mode = told?.shouldIgnore ? "ignored" : (told?.uploadMode ?? "regular");
      item.state = item.refused ? "refused" : ({ ignored: "ignored", regular: "small" }[item.mode] ?? item.state);
    }
    show();
  }
}

const proposing = () => (new FormData(form).get("way") === "propose" ? "?create_pr=1" : "");

async function hashed(item, context) {
  if (item.sha256) return item.sha256;
  item.state = "hashing";
  const pace = reading.of();
  pace(0);
  item.sha256 = await digest(page.worker, item.file, context, (read) => {
    item.loaded = item.read = read;
    pace(read);
    showItem(item);
    progress();
  });
  item.loaded = 0;
  item.state = "waiting";
  showItem(item);
  save();
  return item.sha256;
}

async function sendAll(context) {
  const large = [...items.values()].filter((item) => item.mode === "lfs" && item.state !== "sent" && item.state !== "there");
  // While one file travels the next is read.
  let next = large.length ? hashed(large[0], context) : null;
  for (const [index, item] of large.entries()) {
    const sha256 = await named(item, next);
    next = index + 1 < large.length ? hashed(large[index + 1], context) : null;
    next?.catch(() => {});
    item.state = "sending";
    const file = { ...context, checking: () => ((item.state = "checking"), showItem(item)) };
    run.current = file;
    const pace = sending.of();
    const heard = (loaded) => {
      item.loaded = item.sending = loaded;
      pace(loaded);
      showItem(item);
      progress();
    };
    const isNew = await named(item, sendLarge(item.file, sha256, page.batch, Number(page.part), file, heard));
    item.state = isNew ? "sent" : "there";
    showItem(item);
    progress();
    save();
  }
}

// A refusal of one file names it.
async function named(item, promise) {
  try {
    return await promise;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    item.state = "failed";
    showItem(item);
    throw new Refused(error.message === "unreadable" ? say("Unreadable", { path: item.path }) : error.message && `${item.path}: ${error.message}`);
  }
}

async function commit(context) {
  words.textContent = say("Committing");
  const given = new FormData(form);
  const lines = [];
  const line = (kind, value) => lines.push(new Blob([JSON.stringify({ key: kind, value }), "\n"]));
  line("header", { summary: given.get("title") || page.title, description: given.get("description") });
  for (const item of items.values()) {
    if (item.mode === "lfs") line("lfsFile", { path: item.path, algo: "sha256", oid: item.sha256, size: item.size });
    else if (item.mode === "regular") {
      line("file", { path: item.path, content: await named(item, base64(item.file)), encoding: "base64" });
    }
  }
  const made = await ask(page.commit + proposing(), new Blob(lines), context, "application/x-ndjson");
  finished = true;
  clearTimeout(saving);
  await forget(key);
  location.assign(made.pullRequestUrl ? new URL(made.pullRequestUrl).pathname : page.after);
}

function problem() {
  const all = [...items.values()];
  if (!all.length) return say("None");
  if (all.length > Number(page.files)) return say("TooMany", { count: page.files });
  const refused = all.filter((item) => item.refused).length;
  if (refused) return say("RefusedAll", { count: refused });
  const huge = all.find((item) => item.size > Number(page.file));
  if (huge) return say("TooLarge", { path: huge.path });
  const lost = all.find((item) => !item.file && item.state !== "sent");
  return lost ? say("Unreadable", { path: lost.path }) : "";
}

// A pause is what somebody wanted, and no fault.
function stopped(sentence, { isPause = false } = {}) {
  total.hidden = false;
  total.classList.toggle("is-stopped", !isPause);
  words.textContent = sentence;
}

async function work() {
  ahead.abort();
  const found = problem();
  list.hidden = false;
  if (found) {
    // The list tells of what is refused, with the way on beside it.
    if (element("upload-refused").hidden) stopped(found);
    else element("upload-refused").scrollIntoView({ block: "center" });
    return setButtons();
  }
  begun = true;
  save();
  const controller = new AbortController();
  run = { controller };
  const context = { signal: controller.signal, say: () => (words.textContent = say("Retrying")) };
  total.hidden = false;
  total.classList.remove("is-stopped");
  setButtons();
  show();
  try {
    await sortOut(context);
    const late = problem(); // where the look ahead had no answer yet
    if (late) throw new Refused(late);
    const small = [...items.values()].filter((item) => item.mode === "regular");
    if (small.reduce((sum, item) => sum + item.size, 0) * 1.4 > Number(page.body)) throw new Refused(say("TooMuch"));
    progress();
    await sendAll(context);
    await commit(context);
  } catch (error) {
    const isPause = error instanceof Stopped || controller.signal.aborted;
    controller.abort();
    run = null;
    for (const item of items.values()) {
      if (["hashing", "sending", "checking", "failed"].includes(item.state)) item.state = "waiting";
      if (!item.sha256) item.read = item.loaded = 0; // it is read again from its beginning
    }
    save();
    show();
    const why = (error instanceof Refused && error.message) || say("Offline");
    stopped(isPause ? say("Paused") : say("Stopped", { why }), { isPause });
  }
  setButtons();
}

function setButtons() {
  action("pause").hidden = !run;
  action("resume").hidden = Boolean(run) || !begun;
  action("cancel").hidden = !begun;
  form.querySelector('[value="save"]').disabled = Boolean(run);
}

async function cancel() {
  const giveUp = run?.current?.giveUp;
  run?.controller.abort();
  await giveUp?.().catch(() => {});
  await clear();
}

// The page ---------------------------------------------------------------------------------------

for (const hidden of form.querySelectorAll(".for-script")) hidden.hidden = false;
for (const input of form.querySelectorAll('input[type="file"]')) {
  input.addEventListener("change", async () => {
    await take(filesOfInput(input));
    input.value = "";
  });
}
const drop = element("drop");
for (const kind of ["dragenter", "dragover"]) {
  drop.addEventListener(kind, (event) => (event.preventDefault(), drop.classList.add("is-over")));
}
for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("is-over"));
drop.addEventListener("drop", async (event) => {
  event.preventDefault();
  const entries = entriesOf(event.dataTransfer);
  const given = handlesOf(event.dataTransfer);
  handles.push(...(await given));
  await take(filesOfEntries(entries));
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!run) work();
});
form.addEventListener("input", () => begun && save());
function withoutRefused() {
  for (const item of [...items.values()]) if (item.refused) leave(item);
  total.classList.remove("is-stopped");
  total.hidden = !begun;
  save();
  show();
}
const acts = { pause: () => run?.controller.abort(), resume: work, cancel, clear, forget: clear, reopen, without: withoutRefused };
form.addEventListener("click", (event) => acts[event.target.closest("[data-do]")?.dataset.do]?.());
addEventListener("beforeunload", (event) => {
  if (run && !finished) event.preventDefault();
});
remember();
