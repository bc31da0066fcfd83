// What the first page weighs, as it goes over the wire.
import { expect, test } from "../support/test.ts";

/** Answers of the API are data; these are fetched when the page stands: the face, further icons, what floats, the bell, the table of help. */
const LATER = /^\/api\/|\.woff2$|icons-more|components\/(floats|bell|help-link)\.js$|lib\/help\.js$|notices\.css$/;

test("the home page of the first day weighs less than 60 kB", async ({ as, world }) => {
  const person = await world.person("nora.falk", "Nora Falk");
  await world.group("first-day", "First day", [person]);
  const page = await as(person);
  const wire = await page.context().newCDPSession(page);
  await wire.send("Network.enable");
  await wire.send("Network.setCacheDisabled", { cacheDisabled: true });
  const paths = new Map<string, string>();
  const weights = new Map<string, number>();
  wire.on("Network.requestWillBeSent", ({ requestId, request }) => paths.set(requestId, new URL(request.url).pathname));
  wire.on("Network.dataReceived", ({ requestId, encodedDataLength }) => {
    const path = paths.get(requestId) ?? "?";
    if (!LATER.test(path)) weights.set(path, (weights.get(path) ?? 0) + encodedDataLength);
  });
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "First steps" })).toBeVisible();
  await page.waitForLoadState("load");
  const parts = [...weights].sort((a, b) => b[1] - a[1]);
  const total = parts.reduce((sum, [, weight]) => sum + weight, 0);
  expect(parts.length).toBeGreaterThan(20);
  expect(total, parts.map(([path, weight]) => `${weight} ${path}`).join("\n")).toBeLessThanOrEqual(60_000);
  test.info().annotations.push({ type: "measured", description: `${total} bytes in ${parts.length} files` });
});
