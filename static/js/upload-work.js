// One run through the steps of an upload: what stands against it, its pauses and its end.
import { list, show } from "./upload-list.js";
import { action, element, form, page, say } from "./upload-page.js";
import { progress, stopped, total, words } from "./upload-progress.js";
import { Refused, Stopped } from "./upload-send.js";
import { items, save, upload } from "./upload-state.js";
import { commit, sendAll, sortOut } from "./upload-steps.js";

// What the hub says of paths is shown before anything is sent; `work` asks what this did not learn.
let ahead = new AbortController();
export async function lookAhead() {
  ahead = new AbortController();
  try {
    await sortOut({ signal: ahead.signal, say: () => {} });
  } catch (error) {
    if (!(error instanceof Refused || error instanceof Stopped || ahead.signal.aborted)) throw error;
  }
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

export async function work() {
  ahead.abort();
  const found = problem();
  list.hidden = false;
  if (found) {
    // The list tells of what is refused, with the way on beside it.
    if (element("upload-refused").hidden) stopped(found);
    else element("upload-refused").scrollIntoView({ block: "center" });
    return setButtons();
  }
  upload.begun = true;
  save();
  const controller = new AbortController();
  upload.run = { controller };
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
    standStill(error, controller);
  }
  setButtons();
}

function standStill(error, controller) {
  const isPause = error instanceof Stopped || controller.signal.aborted;
  controller.abort();
  upload.run = null;
  for (const item of items.values()) {
    if (["hashing", "sending", "checking", "failed"].includes(item.state)) item.state = "waiting";
    if (!item.sha256) item.read = item.loaded = 0; // it is read again from its beginning
  }
  save();
  show();
  const why = (error instanceof Refused && error.message) || say("Offline");
  stopped(isPause ? say("Paused") : say("Stopped", { why }), { isPause });
}

function setButtons() {
  action("pause").hidden = !upload.run;
  action("resume").hidden = Boolean(upload.run) || !upload.begun;
  action("cancel").hidden = !upload.begun;
  form.querySelector('[value="save"]').disabled = Boolean(upload.run);
}
