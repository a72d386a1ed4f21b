// How far the whole upload is, how long it will still take, and why it stands still.
import { bytes, element, say } from "./upload-page.js";
import { items } from "./upload-state.js";

export const [total, words, bar] = ["upload-total", "upload-words", "upload-progress"].map(element);

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
  reset = () => (this.bytes = this.ms = 0);
}

export const reading = new Pace();
export const sending = new Pace();

export function progress() {
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

// A pause is what somebody wanted, and no fault.
export function stopped(sentence, { isPause = false } = {}) {
  total.hidden = false;
  total.classList.toggle("is-stopped", !isPause);
  words.textContent = sentence;
}
