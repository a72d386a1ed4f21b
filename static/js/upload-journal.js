// What an upload has done so far, kept in the browser so that a reload loses nothing.
const STORE = "uploads";

function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("weighbridge-uploads", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function ask(mode, act) {
  const database = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = act(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

// A browser that keeps nothing (a private window) uploads all the same, within one visit.
async function quietly(mode, act) {
  try {
    return await ask(mode, act);
  } catch {
    return undefined;
  }
}

export const recall = (key) => quietly("readonly", (store) => store.get(key));
export const keep = (key, value) => quietly("readwrite", (store) => store.put(value, key));
export const forget = (key) => quietly("readwrite", (store) => store.delete(key));
