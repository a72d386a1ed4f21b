// The steps of an upload: ask how each file goes, read and send the large ones, commit them all.
import { showItem, show } from "./upload-list.js";
import { form, page, say } from "./upload-page.js";
import { progress, reading, sending, words } from "./upload-progress.js";
import { Refused, ask, base64, digest, sendLarge } from "./upload-send.js";
import { finish, items, save, upload } from "./upload-state.js";

const ASKED_AT_ONCE = 500;
const SAMPLE_BYTES = 512;

const proposing = () => (new FormData(form).get("way") === "propose" ? "?create_pr=1" : "");

export async function sortOut(context) {
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

export async function sendAll(context) {
  const large = [...items.values()].filter((item) => item.mode === "lfs" && item.state !== "sent" && item.state !== "there");
  // While one file travels the next is read.
  let next = large.length ? hashed(large[0], context) : null;
  for (const [index, item] of large.entries()) {
    const sha256 = await named(item, next);
    next = index + 1 < large.length ? hashed(large[index + 1], context) : null;
    next?.catch(() => {});
    item.state = "sending";
    const file = { ...context, checking: () => ((item.state = "checking"), showItem(item)) };
    upload.run.current = file;
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

export async function commit(context) {
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
  await finish();
  location.assign(made.pullRequestUrl ? new URL(made.pullRequestUrl).pathname : page.after);
}
