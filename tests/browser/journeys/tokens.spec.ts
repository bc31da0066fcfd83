// The colours, read from the token file: their contrast as designed, and no colour anywhere else. And the first page's weight.
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "../support/test.ts";

const assets = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../../../assets");
const source = readFileSync(join(assets, "style/tokens.css"), "utf8");

/** Each colour as [light, dark], in the form #rrggbb. */
const tokens = new Map<string, [string, string]>();
for (const [, name, value] of source.matchAll(/--([\w-]+):\s*((?:light-dark\([^;]*\))|#[0-9a-f]{6})\s*;/g)) {
  const found = value.match(/#[0-9a-f]{6}/g) ?? [];
  if (value.startsWith("#")) tokens.set(name, [found[0]!, found[0]!]);
  else if (found.length === 2) tokens.set(name, [found[0]!, found[1]!]);
}

function luminance(hex: string): number {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one: string, two: string, theme: number): number {
  const [a, b] = [one, two].map((name) => {
    const colour = tokens.get(name);
    if (!colour) throw new Error(`tokens.css has no colour --${name}`);
    return luminance(colour[theme]);
  });
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

const PLACES = ["bg", "bg-side", "surface", "raised", "sunken", "hover", "press"];
const SOFT = ["ok", "warn", "bad", "info", "accent"];

/** Pairs and the least contrast of each: 4.5 for text, 3 for graphics and controls. */
const pairs: [string, string, number][] = [
  ...["fg", "fg-2", "fg-3", "accent-fg"].flatMap((text) => PLACES.map((place) => [text, place, 4.5] as [string, string, number])),
  ...["control", "focus"].flatMap((line) => PLACES.map((place) => [line, place, 3] as [string, string, number])),
  ...["accent", "accent-hover", "accent-press", "bad-fill", "bad-fill-hover"].map((fill) => ["on-accent", fill, 4.5] as [string, string, number]),
  ...SOFT.map((kind) => [`${kind}-fg`, `${kind}-soft`, 4.5] as [string, string, number]),
  ...SOFT.filter((kind) => kind !== "accent").flatMap((kind) => PLACES.map((place) => [`${kind}-fg`, place, 4.5] as [string, string, number])),
  ...SOFT.map((kind) => ["fg-2", `${kind}-soft`, 4.5] as [string, string, number]),
  ...SOFT.map((kind) => ["fg", `${kind}-soft`, 4.5] as [string, string, number]),
  ["fg-3", "accent-soft", 4.5],
  ...["accent-bar", "ok", "warn", "bad", "info"].map((bar) => [bar, "press", 3] as [string, string, number]),
  ...[1, 2, 3, 4, 5, 6].map((n) => [`chart-${n}`, "surface", 3] as [string, string, number]),
  ...[1, 2, 3, 4, 5, 6].map((n) => [`avatar-${n}-fg`, `avatar-${n}`, 4.5] as [string, string, number]),
  ["idle", "surface", 3],
  ...["fg", "red", "green", "yellow", "blue", "magenta", "cyan", "white", "bright-red", "bright-green", "bright-yellow", "bright-blue", "bright-magenta", "bright-cyan", "bright-white"].map((name) => [`term-${name}`, "term-bg", 4.5] as [string, string, number]),
];

for (const [theme, name] of ["light", "dark"].entries()) {
  test(`the colours of the ${name} theme keep their contrast`, () => {
    const low = pairs.map(([one, two, least]) => ({ one, two, least, is: contrast(one, two, theme) })).filter(({ is, least }) => is < least);
    expect(low.map(({ one, two, least, is }) => `${one} on ${two}: ${is.toFixed(2)}, not ${least}`)).toEqual([]);
  });
}

/** Every file of ours below a folder. */
function files(folder: string, ending: RegExp): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && ending.test(entry.name))
    .map((entry) => join((entry as any).parentPath ?? (entry as any).path, entry.name));
}

test("no colour is written outside the token file", () => {
  // ansi.js computes the colours that a program asked for in its output.
  const own = [...files(join(assets, "style"), /\.css$/), ...files(join(assets, "app"), /\.js$/)].filter((path) => !/(tokens\.css|ansi\.js)$/.test(path));
  const found = own.flatMap((path) =>
    readFileSync(path, "utf8").split("\n").flatMap((line, at) => {
      const text = path.endsWith(".css") ? line.replace(/\/\*.*?\*\//g, "") : line;
      const colour = /(?<![\w&'"`(/-])#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})\b|\b(?:rgba?|hsla?|oklch)\(/i.exec(text);
      return colour ? [`${path.slice(assets.length + 1)}:${at + 1}: ${colour[0]}`] : [];
    }),
  );
  expect(found).toEqual([]);
});

test("every colour name that is used exists", () => {
  const defined = new Set([...source.matchAll(/--([\w-]+)\s*:/g)].map(([, name]) => name));
  const own = [...files(join(assets, "style"), /\.css$/), ...files(join(assets, "app"), /\.js$/)];
  for (const path of own) for (const [, name] of readFileSync(path, "utf8").matchAll(/--([\w-]+)\s*:/g)) defined.add(name);
  const missing = own.flatMap((path) => [...readFileSync(path, "utf8").matchAll(/var\(--([\w-]+)[),]/g)].filter(([, name]) => !defined.has(name)).map(([, name]) => `${path.slice(assets.length + 1)}: --${name}`));
  expect(missing).toEqual([]);
});

test("the first page, as it comes from the server, weighs at most 60 kB", async ({ as, world }) => {
  const page = await as(null, { at: "/sign-in" });
  await expect(page.getByRole("heading", { name: "Sign in to Codex Web" })).toBeVisible();
  // What is visible to a locator may not be painted yet.
  await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
  const { loaded, painted } = await page.evaluate(() => {
    const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")] as PerformanceResourceTiming[];
    return { painted: performance.getEntriesByName("first-contentful-paint")[0].startTime, loaded: all.map((entry) => ({ path: new URL(entry.name).pathname, origin: new URL(entry.name).origin, bytes: entry.encodedBodySize, plain: entry.decodedBodySize, begins: entry.startTime })) };
  });
  // The face is fetched when nothing else is to do, and used from the next page on.
  const first = loaded.filter(({ begins, path }) => begins <= painted && !path.endsWith(".woff2"));
  const weight = first.reduce((sum, { bytes }) => sum + bytes, 0);
  test.info().annotations.push({ type: "measured", description: `${weight} bytes in ${first.length} answers before the first paint; ${loaded.reduce((sum, { bytes }) => sum + bytes, 0)} bytes in ${loaded.length} with what is fetched when nothing else is to do` });
  expect(weight, first.map(({ path, bytes }) => `${bytes} ${path}`).join("\n")).toBeLessThanOrEqual(60_000);
  const plain = first.filter(({ path, bytes, plain: size }) => /\.(js|mjs|css|svg)$/.test(path) && size > 2000 && bytes >= size);
  expect(plain.map(({ path }) => path), "answers that are not compressed").toEqual([]);
  expect([...new Set(loaded.map(({ origin }) => origin))], "where everything comes from").toEqual([world.url]);
});
