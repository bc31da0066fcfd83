// The weight of the first page, gzipped: the document and everything it loads before anybody clicks.
//
// Follows `src` and `href` of index.html, `@import` and `url()` of style sheets and static imports of modules. Modules
// that are loaded when a page needs them (`import(...)`) do not count. Usage: node first-page.mjs LIMIT_IN_BYTES
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { gzipSync } from "node:zlib";

const assets = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../../assets");
const limit = Number(process.argv[2]);
const sizes = new Map();

/** @param {string} path the path in the browser, from "/" */
function visit(path) {
  if (sizes.has(path)) return;
  const content = readFileSync(join(assets, path));
  // A compressed format does not shrink again, and is sent as it is.
  sizes.set(path, /\.(woff2|png)$/.test(path) ? content.length : gzipSync(content, { level: 9 }).length);
  if (/\.(woff2|png)$/.test(path)) return;
  const text = content.toString();
  const found = path.endsWith(".html")
    ? [...text.matchAll(/<(?:script|link)\b[^>]*?\b(?:src|href)="([^"]+)"/g)]
    : path.endsWith(".css")
      ? [...text.matchAll(/@import\s+(?:url\()?["']([^"']+)["']/g), ...text.matchAll(/url\(["']?([^"')]+)["']?\)/g)]
      : path.endsWith("js")
        ? [...text.matchAll(/^\s*(?:import|export)\b[^;"'()]*?(?:from\s*)?["']([^"']+)["']/gm), ...text.matchAll(/\bfrom\s*["'](\.[^"']+)["']/g)]
        : [];
  for (const [, target] of found) {
    if (/^(data:|https?:|#)/.test(target)) continue;
    visit(posix.resolve(posix.dirname(path), target.replace(/[?#].*$/, "")));
  }
}

visit("/index.html");
const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
for (const [path, size] of [...sizes].sort((a, b) => b[1] - a[1])) console.log(`${String(size).padStart(7)} ${path}`);
console.log(`${String(total).padStart(7)} bytes, ${sizes.size} files; limit ${limit}`);
process.exit(total <= limit ? 0 : 1);
