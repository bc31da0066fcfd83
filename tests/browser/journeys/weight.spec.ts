// What the first page weighs, as it goes over the wire.
import { expect, test } from "../support/test.ts";

/** Answers of the API are data; these are fetched when the page stands: the face, further icons, what floats, the bell, the table of help. */
const LATER = /^\/api\/|\.woff2$|icons-more|components\/(floats|bell|help-link)\.js$|lib\/help\.js$|notices\.css$/;

test("the home page of the first day weighs less than 60 kB", async ({ as, world }) => {
  const person = await world.person("nele.brandt", "Nele Brandt");
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

test("nobody without a session is asked who they are, and a file of the interface is named by its build", async ({ as }) => {
  const page = await as(null);
  const asked: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  await page.goto("/admin/users");
  await expect(page.getByRole("heading", { name: "Sign in to Codex Web" })).toBeVisible();
  expect(asked).not.toContain("/api/auth/me");
  expect(asked).toContain("/api/auth/providers");
  expect(asked.filter((path) => /\.(m?js|css)$/.test(path) && !path.startsWith("/ui/"))).toEqual([]);
  const own = asked.filter((path) => !path.endsWith("favicon.svg")); // the browser asks for it again whenever the address changes
  expect(own.filter((path, i) => own.indexOf(path) !== i), "each is asked for once").toEqual([]);
});

test("what a page needs is asked for at once, not file by file", async ({ as, world }) => {
  const page = await as(world.admin);
  for (const path of ["/", "/admin/users", "/help/user/groups"]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 }).first()).toBeVisible();
    const late = await page.evaluate(() => {
      const named = new Set([...document.querySelectorAll<HTMLLinkElement | HTMLScriptElement>("link[href], script[src]")].map((one) => ("src" in one && one.src) || (one as HTMLLinkElement).href));
      return performance.getEntriesByType("resource").filter((one) => /\/(pages|lib)\/.*\.js$/.test(one.name) && !named.has(one.name) && one.startTime < performance.getEntriesByName("first-contentful-paint")[0].startTime).map((one) => one.name);
    });
    expect(late, path).toEqual([]);
  }
});
