// The upload page: files are chosen or dropped, its buttons do what they say.
import { entriesOf, filesOfEntries, filesOfHandles, filesOfInput, handlesOf } from "./upload-files.js";
import { list, rows, show } from "./upload-list.js";
import { action, element, form, say } from "./upload-page.js";
import { reading, sending, stopped, total } from "./upload-progress.js";
import { add, forgetAll, items, leave, remembered, save, upload } from "./upload-state.js";
import { lookAhead, work } from "./upload-work.js";

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

async function remember() {
  const kept = await remembered();
  if (!kept) return;
  const again = element("upload-again");
  const text = again.querySelector("[data-text]");
  const done = kept.filter((item) => item.state === "sent").length;
  text.textContent = text.dataset.text.replace("{done}", done).replace("{all}", kept.length);
  action("reopen").hidden = !upload.handles.length;
  again.hidden = false;
  show();
}

async function reopen() {
  for (const handle of upload.handles) {
    if ((await handle.requestPermission({ mode: "read" })) !== "granted") return;
  }
  await take(filesOfHandles(upload.handles));
}

function clear() {
  leftOut = 0;
  reading.reset();
  sending.reset();
  element("upload-left").hidden = element("upload-refused").hidden = true;
  rows.replaceChildren();
  total.hidden = list.hidden = element("upload-again").hidden = true;
  form.reset();
  return forgetAll();
}

async function cancel() {
  const giveUp = upload.run?.current?.giveUp;
  upload.run?.controller.abort();
  await giveUp?.().catch(() => {});
  await clear();
}

function withoutRefused() {
  for (const item of [...items.values()]) if (item.refused) leave(item);
  total.classList.remove("is-stopped");
  total.hidden = !upload.begun;
  save();
  show();
}

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
  upload.handles.push(...(await given));
  await take(filesOfEntries(entries));
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!upload.run) work();
});
form.addEventListener("input", () => upload.begun && save());
const acts = { pause: () => upload.run?.controller.abort(), resume: work, cancel, clear, forget: clear, reopen, without: withoutRefused };
form.addEventListener("click", (event) => acts[event.target.closest("[data-do]")?.dataset.do]?.());
addEventListener("beforeunload", (event) => {
  if (upload.run && !upload.finished) event.preventDefault();
});
remember();
