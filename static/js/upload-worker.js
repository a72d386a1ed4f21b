// The sha256 of a file, slice by slice: memory holds one slice, whatever the size of the file.
import { sha256 } from "../vendor/noble-hashes/sha256.min.js";

const SLICE_BYTES = 4 * 1024 * 1024;

addEventListener("message", async ({ data: file }) => {
  try {
    const hash = sha256.create();
    for (let start = 0; start < file.size; start += SLICE_BYTES) {
      const slice = file.slice(start, start + SLICE_BYTES);
      hash.update(new Uint8Array(await slice.arrayBuffer()));
      postMessage({ read: Math.min(start + SLICE_BYTES, file.size) });
    }
    const hex = Array.from(hash.digest(), (byte) => byte.toString(16).padStart(2, "0"));
    postMessage({ sha256: hex.join("") });
  } catch {
    postMessage({ unreadable: true });
  }
});
