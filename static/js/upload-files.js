// Files and folders that were dropped or chosen, each with its path below what was dropped.

// Handles outlive a reload where the browser has them (they ask again for leave to read).
export async function handlesOf(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  if (!items.every((item) => item.getAsFileSystemHandle)) return [];
  return (await Promise.all(items.map((item) => item.getAsFileSystemHandle()))).filter(Boolean);
}

export async function* filesOfHandles(handles, folder = "") {
  for (const handle of handles) {
    if (handle.kind === "file") yield { path: folder + handle.name, file: await handle.getFile() };
    else yield* filesOfHandles(await all(handle.values()), `${folder}${handle.name}/`);
  }
}

async function all(values) {
  const found = [];
  for await (const value of values) found.push(value);
  return found;
}

// Must be called while the drop is handled: the list of items is empty afterwards.
export function entriesOf(transfer) {
  return [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
}

export async function* filesOfEntries(entries, folder = "") {
  for (const entry of entries) {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      yield { path: folder + entry.name, file };
    } else {
      yield* filesOfEntries(await children(entry), `${folder}${entry.name}/`);
    }
  }
}

async function children(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    // A reader gives a hundred entries at a time.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...some);
  }
}

export function* filesOfInput(input) {
  for (const file of input.files) yield { path: file.webkitRelativePath || file.name, file };
}
