/** What somebody chose or dropped to be uploaded, as files with the folders they are in. */

/** @typedef {{files: {path: string, file: File}[], folders: string[]}} Chosen */

/** @param {any} entry of the browser's own file system @param {string} under @param {Chosen} into */
async function walk(entry, under, into) {
  const path = under ? `${under}/${entry.name}` : entry.name;
  if (entry.isFile) { into.files.push({ path, file: await new Promise((done, lost) => entry.file(done, lost)) }); return; }
  into.folders.push(path);
  const reader = entry.createReader();
  for (;;) { // it gives at most a hundred at a time
    const part = /** @type {any[]} */ (await new Promise((done, lost) => reader.readEntries(done, lost)));
    if (part.length === 0) return;
    for (const inner of part) await walk(inner, path, into);
  }
}

/** @param {DataTransfer} transfer must be read before the event is over @returns {Promise<Chosen>} */
export async function fromDrop(transfer) {
  const entries = [...transfer.items].filter(({ kind }) => kind === 'file').map((item) => item.webkitGetAsEntry()).filter(Boolean);
  /** @type {Chosen} */
  const into = { files: [], folders: [] };
  if (entries.length === 0) return { files: [...transfer.files].map((file) => ({ path: file.name, file })), folders: [] };
  for (const entry of entries) await walk(entry, '', into);
  return into;
}

/** From a field of the page; a chosen folder names the way to each file. @param {FileList} list @returns {Chosen} */
export function fromField(list) {
  const files = [...list].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
  const folders = new Set(/** @type {string[]} */ ([]));
  for (const { path } of files) { const parts = path.split('/'); for (let n = 1; n < parts.length; n += 1) folders.add(parts.slice(0, n).join('/')); }
  return { files, folders: [...folders].sort((a, b) => a.split('/').length - b.split('/').length) };
}
