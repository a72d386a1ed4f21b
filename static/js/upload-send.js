// How bytes reach the hub: questions with the session, large files to signed addresses.
const LFS_JSON = "application/vnd.git-lfs+json";
const TRIES = 6;
const AT_ONCE = 3;

export class Refused extends Error {}
export class Stopped extends Error {}

const passing = (status) => status === 0 || status === 408 || status === 429 || status >= 500;
// Signed addresses name the hub as others reach it; this page reaches it where it came from.
const here = (href) => {
  const url = new URL(href);
  return url.pathname + url.search;
};

function wait(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), reject(new Stopped())), { once: true });
  });
}

// What `once` answers; passing faults are tried again, more slowly each time.
async function patiently(once, { signal, say }) {
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    const answer = await once().catch((error) => {
      if (signal.aborted) throw new Stopped();
      if (error instanceof Refused) throw error;
      return { status: 0, text: "" };
    });
    if (answer.status >= 200 && answer.status < 300) return answer;
    if (!passing(answer.status) || attempt >= TRIES) throw new Refused(sentence(answer));
    say(attempt);
    await wait(Math.min(500 * 2 ** attempt, 20_000), signal);
  }
}

function sentence({ text }) {
  try {
    return JSON.parse(text).error ?? "";
  } catch {
    return "";
  }
}

export async function ask(url, body, context, type = "application/json") {
  const token = document.querySelector('meta[name="csrf-token"]')?.content ?? "";
  const headers = { "Content-Type": type, "X-CSRFToken": token, Accept: "application/json" };
  const sent = typeof body === "string" || body instanceof Blob ? body : JSON.stringify(body);
  const once = async () => {
    const answer = await fetch(url, { method: "POST", headers, body: sent, signal: context.signal });
    return { status: answer.status, text: await answer.text() };
  };
  return JSON.parse((await patiently(once, context)).text || "{}");
}

// fetch tells nobody how much of a body has left; XMLHttpRequest does.
function put(href, blob, { signal }, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    signal.addEventListener("abort", stop, { once: true });
    request.upload.onprogress = (event) => onProgress(event.loaded);
    request.onload = () =>
      resolve({ status: request.status, text: request.responseText, etag: request.getResponseHeader("ETag") });
    request.onerror = () => resolve({ status: 0, text: "" });
    request.onabort = () => reject(new Stopped());
    request.onloadend = () => signal.removeEventListener("abort", stop);
    request.open("PUT", here(href));
    request.send(blob);
  });
}

// Bring one large file to the hub. `progress` hears how many bytes of it are there.
export async function sendLarge(file, sha256, batchUrl, partBytes, context, progress) {
  const inParts = file.size > partBytes;
  const transfers = inParts ? ["multipart"] : ["basic"];
  const objects = [{ oid: sha256, size: file.size }];
  const asked = { operation: "upload", transfers, objects };
  const [answer] = (await ask(batchUrl, asked, context, LFS_JSON)).objects;
  if (answer.error) throw new Refused(answer.error.message);
  if (!answer.actions) return false; // this repository has it
  const { upload, verify } = answer.actions;
  if (inParts) await sendParts(file, sha256, upload, context, progress);
  else await patiently(() => put(upload.href, file.slice(), context, progress), context);
  await ask(here(verify.href), objects[0], context, LFS_JSON);
  return true;
}

async function sendParts(file, sha256, upload, context, progress) {
  const { chunk_size: size, ...hrefs } = upload.header;
  const partBytes = Number(size);
  const finish = here(upload.href);
  context.giveUp = () => fetch(finish, { method: "DELETE" });
  const came = await patiently(async () => {
    const found = await fetch(finish, { signal: context.signal });
    return { status: found.status, text: await found.text() };
  }, context);
  const etags = new Map(JSON.parse(came.text).parts.map((part) => [part.partNumber, part.etag]));
  const numbers = Object.keys(hrefs).sort();
  const loaded = new Map();
  const span = (number) => [(number - 1) * partBytes, Math.min(number * partBytes, file.size)];
  for (const number of etags.keys()) loaded.set(number, span(number)[1] - span(number)[0]);
  const tell = () => progress([...loaded.values()].reduce((sum, bytes) => sum + bytes, 0));
  tell();
  const left = numbers.filter((name) => !etags.has(Number(name)));
  const sendNext = async () => {
    for (let name = left.shift(); name; name = left.shift()) {
      const number = Number(name);
      const part = file.slice(...span(number));
      const heard = (bytes) => (loaded.set(number, Math.min(bytes, part.size)), tell());
      const sent = await patiently(() => put(hrefs[name], part, context, heard), context);
      etags.set(number, (sent.etag ?? "").replaceAll('"', ""));
      heard(part.size);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, sendNext));
  context.checking();
  const parts = [...etags].map(([partNumber, etag]) => ({ partNumber, etag }));
  await ask(finish, { oid: sha256, parts }, context, LFS_JSON);
}

// The digest of a file, from a worker of its own.
export function digest(workerUrl, file, { signal }, onRead) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(workerUrl, { type: "module" });
    const end = (act, value) => (worker.terminate(), act(value));
    signal.addEventListener("abort", () => end(reject, new Stopped()), { once: true });
    worker.onerror = () => end(reject, new Refused());
    worker.onmessage = ({ data }) => {
      if (data.read) onRead(data.read);
      else if (data.sha256) end(resolve, data.sha256);
      else end(reject, new Refused("unreadable"));
    };
    worker.postMessage(file);
  });
}

export const base64 = (blob) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,?/, ""));
    reader.onerror = () => reject(new Refused("unreadable"));
    reader.readAsDataURL(blob);
  });
