// The files of a workspace in the browser: in and out, by hand and by keyboard, and nothing lost on the way.
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "@playwright/test";
import { expectAccessible } from "../support/access.ts";
import { expect, test } from "../support/test.ts";
import type { Group, Person, Workspace, World } from "../support/world.ts";

let owner: Person;
let group: Group;
let workspace: Workspace;
let folder: string;

test.beforeAll(async ({ world }: { world: World }) => {
  owner = await world.person("tove.lind", "Tove Lind");
  group = await world.group("files", "Files", [owner]);
  workspace = await world.workspace(owner, group, "paperwork");
  folder = mkdtempSync(join(tmpdir(), "codex-web-upload-"));
});
test.afterAll(() => rmSync(folder, { recursive: true, force: true }));

const address = (path = "") => `/workspaces/${workspace.id}/files${path}`;
const api = (path: string) => `/api/workspaces/${workspace.id}/files/${path}`;
const row = (page: Page, name: string) => page.getByRole("row").filter({ has: page.getByRole("link", { name, exact: true }) });

/** Writes a file from outside of the page, as a program in the workspace would. */
async function put(page: Page, world: World, path: string, content: string) {
  const answer = await page.context().request.put(api(path), { data: Buffer.from(content), headers: { origin: world.url, "content-type": "application/octet-stream" } });
  expect(answer.ok(), await answer.text()).toBe(true);
}
const content = async (page: Page, path: string) => (await page.context().request.get(api(path))).text();

async function chooses(page: Page, ...files: string[]) {
  const choosing = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Upload", exact: true }).click();
  await page.getByRole("menuitem", { name: "Files" }).click();
  await (await choosing).setFiles(files);
}

test("files go up by button and by dropping, replace only when asked, and come down whole", async ({ as, world, allowed }) => {
  allowed.push(/status of 412/);
  const page = await as(owner, { at: address() });
  await test.step("an empty home says what to do", async () => {
    await page.getByText("Drop files and folders here").waitFor();
    await expectAccessible(page, "no files");
  });
  await test.step("by the button, with names of every kind", async () => {
    for (const [name, text] of [["notes.txt", "first\n"], ["100% größer #1?.txt", "odd\n"]]) writeFileSync(join(folder, name), text);
    await chooses(page, join(folder, "notes.txt"), join(folder, "100% größer #1?.txt"));
    await expect(row(page, "notes.txt")).toBeVisible();
    await expect(row(page, "100% größer #1?.txt")).toContainText(/4\sB/);
    await expect(page.getByRole("region", { name: "Uploads" })).toContainText(/2\sfiles uploaded/);
    await expectAccessible(page, "after an upload");
  });
  await test.step("the same name again asks first, and the old one can be kept", async () => {
    writeFileSync(join(folder, "notes.txt"), "second\n");
    await chooses(page, join(folder, "notes.txt"));
    const dialog = page.getByRole("dialog", { name: "Replace notes.txt?" });
    await dialog.getByRole("button", { name: "Keep the old one" }).click();
    expect(await content(page, "notes.txt")).toBe("first\n");
    await chooses(page, join(folder, "notes.txt"));
    await dialog.getByRole("button", { name: "Replace" }).click();
    await expect.poll(() => content(page, "notes.txt")).toBe("second\n");
  });
  await test.step("a folder is chosen with all that is in it", async () => {
    mkdirSync(join(folder, "project/src"), { recursive: true });
    writeFileSync(join(folder, "project/README.md"), "# Project\n");
    writeFileSync(join(folder, "project/src/main.rs"), "fn main() {}\n");
    const choosing = page.waitForEvent("filechooser");
    await page.getByRole("button", { name: "Upload", exact: true }).click();
    await page.getByRole("menuitem", { name: "A folder" }).click();
    await (await choosing).setFiles(join(folder, "project"));
    await expect(row(page, "project")).toBeVisible();
    await expect.poll(() => content(page, "project/src/main.rs")).toBe("fn main() {}\n");
  });
  await test.step("dropped on the list, it goes to the folder that is shown", async () => {
    await row(page, "project").getByRole("link").click();
    await expect(page).toHaveURL(/path=project$/);
    await expect(row(page, "README.md")).toBeVisible();
    const transfer = await page.evaluateHandle(() => { const data = new DataTransfer(); data.items.add(new File(["dropped\n"], "dropped.txt")); return data; });
    await page.locator(".drop").dispatchEvent("dragenter", { dataTransfer: transfer });
    await expect(page.getByText("Drop to upload to ~/project")).toBeVisible();
    await page.locator(".drop").dispatchEvent("drop", { dataTransfer: transfer });
    await expect(row(page, "dropped.txt")).toBeVisible();
    expect(await content(page, "project/dropped.txt")).toBe("dropped\n");
  });
  await test.step("a file comes down under its name, a folder as an archive", async () => {
    await page.goto(address());
    const saved = async (name: string, item: string) => {
      const download = page.waitForEvent("download");
      await page.getByRole("button", { name: `Actions for ${name}`, exact: true }).click();
      await page.getByRole("menuitem", { name: item, exact: true }).click();
      return download;
    };
    const file = await saved("100% größer #1?.txt", "Download");
    expect(file.suggestedFilename()).toMatch(/größer/);
    expect(readFileSync((await file.path())!, "utf8")).toBe("odd\n");
    const archive = await saved("project", "Download as .zip");
    expect(archive.suggestedFilename()).toBe("project.zip");
    expect(readFileSync((await archive.path())!).subarray(0, 2).toString()).toBe("PK");
  });
});

test("an upload that is cut goes on where it was, and one that does not fit is not begun", async ({ as, allowed }) => {
  allowed.push(/ERR_FAILED|ERR_CONNECTION|ERR_INTERNET/);
  const page = await as(owner, { at: address() });
  const large = join(folder, "large.bin");
  const bytes = Buffer.alloc(20 * 1024 * 1024, "codex");
  writeFileSync(large, bytes);
  await test.step("the connection is lost between two pieces", async () => {
    const offsets: number[] = [];
    let cut = 3;
    await page.route("**/files/large.bin?upload=*", async (route) => {
      if (route.request().method() !== "PUT") return route.fallback();
      const offset = Number(new URL(route.request().url()).searchParams.get("offset"));
      if (offset > 0 && cut-- > 0) return route.abort("connectionreset");
      offsets.push(offset);
      return route.fallback();
    });
    await chooses(page, large);
    await expect(page.getByRole("region", { name: "Uploads" })).toContainText("The connection was cut. It goes on by itself.");
    await expect(page.getByRole("region", { name: "Uploads" })).toContainText("large.bin uploaded", { timeout: 30_000 });
    expect(offsets.filter((offset) => offset === 0), "its beginning was sent once").toHaveLength(1);
    const arrived = await page.context().request.get(api("large.bin"));
    expect((await arrived.body()).equals(bytes)).toBe(true);
  });
  await test.step("after the page was loaded again, the same file goes on where it was", async () => {
    await page.unroute("**/files/large.bin?upload=*");
    const again = join(folder, "again.bin");
    writeFileSync(again, bytes);
    const asked: string[] = [];
    let hold = true;
    await page.route("**/files/again.bin?upload=*", async (route) => {
      const { searchParams } = new URL(route.request().url());
      asked.push(`${route.request().method()} ${searchParams.get("offset") ?? "where"}`);
      // The first two pieces arrive; the third never gets an answer.
      if (hold && route.request().method() === "PUT" && Number(searchParams.get("offset")) >= 16 * 1024 * 1024) return;
      return route.fallback();
    });
    await chooses(page, again);
    await expect.poll(() => asked.at(-1)).toBe("PUT 16777216");
    // Leaving asks first, because an upload is under way.
    page.once("dialog", (dialog) => dialog.accept());
    await page.reload();
    await expect(page.getByRole("region", { name: "Uploads" })).toHaveCount(0);
    hold = false;
    asked.length = 0;
    await chooses(page, again);
    await expect(page.getByRole("region", { name: "Uploads" })).toContainText("again.bin uploaded", { timeout: 30_000 });
    expect(asked, "what the server has is asked for, and not sent again").toEqual(["GET where", "PUT 16777216"]);
    const arrived = await page.context().request.get(api("again.bin"));
    expect((await arrived.body()).equals(bytes)).toBe(true);
  });
  await test.step("another file at the same place begins at its own beginning", async () => {
    const other = join(folder, "again.bin");
    writeFileSync(other, Buffer.alloc(20 * 1024 * 1024, "other"));
    await page.unroute("**/files/again.bin?upload=*");
    const offsets: (string | null)[] = [];
    await page.route("**/files/again.bin?upload=*", async (route) => {
      if (route.request().method() === "PUT") offsets.push(new URL(route.request().url()).searchParams.get("offset"));
      return route.fallback();
    });
    await chooses(page, other);
    await page.getByRole("dialog", { name: "Replace again.bin?" }).getByRole("button", { name: "Replace" }).click();
    await expect.poll(() => offsets).toEqual(["0", "8388608", "16777216"]);
  });
  await test.step("what is larger than the disk is refused with the numbers, before it starts", async () => {
    const huge = join(folder, "huge.img");
    writeFileSync(huge, "");
    truncateSync(huge, 2 * 1024 ** 3);
    await chooses(page, huge);
    const dialog = page.getByRole("dialog", { name: "Does not fit" });
    await expect(dialog).toContainText(/The file is 2\sGiB; .* of 1\sGiB are free\. Nothing was uploaded\./);
    await expectAccessible(page, "does not fit");
    await dialog.getByRole("button", { name: "Close" }).click();
    await expect(row(page, "huge.img")).toHaveCount(0);
  });
});

test("a text file is edited, and neither a conflict nor an unsaved change loses anything", async ({ as, world, allowed }) => {
  allowed.push(/status of 412/);
  const page = await as(owner, { at: address() });
  await put(page, world, "config.ini", "a = 1\r\nb = 2\r\n");
  const text = page.getByRole("textbox", { name: "Content of config.ini" });
  await test.step("it is opened by its name, and its address can be kept", async () => {
    await page.reload();
    await row(page, "config.ini").getByRole("link").click();
    await expect(text).toHaveValue("a = 1\nb = 2\n");
    await page.reload();
    await expect(text).toHaveValue("a = 1\nb = 2\n");
    await expectAccessible(page, "editor");
  });
  await test.step("saved by key, with the line ends it had", async () => {
    await text.fill("a = 1\nb = 3\n");
    await expect(page.getByText("Not saved yet")).toBeVisible();
    await page.keyboard.press("Control+s");
    await expect(page.getByText("Saved", { exact: true })).toBeVisible();
    expect(await content(page, "config.ini")).toBe("a = 1\r\nb = 3\r\n");
    await text.press("End");
    await page.keyboard.type("!");
    await page.keyboard.press("Control+s");
    await expect.poll(() => content(page, "config.ini")).toContain("!");
  });
  await test.step("leaving with changes asks, also by the Back button", async () => {
    await text.fill("mine\n");
    const asked: string[] = [];
    page.on("dialog", (dialog) => { asked.push(dialog.message()); dialog.dismiss(); });
    await page.getByRole("navigation", { name: "Folders" }).getByRole("link", { name: "Home" }).click();
    await page.goBack();
    await expect.poll(() => asked.length).toBe(2);
    expect(asked[0]).toContain("Leave config.ini without saving?");
    await expect(text).toHaveValue("mine\n");
    page.removeAllListeners("dialog");
  });
  await test.step("what was changed meanwhile is not written over unasked", async () => {
    await put(page, world, "config.ini", "theirs\n");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await expect(page.getByRole("alert")).toContainText("config.ini was changed since you opened it.");
    expect(await content(page, "config.ini")).toBe("theirs\n");
    await expect(text).toHaveValue("mine\n");
    await expectAccessible(page, "conflict");
    await page.getByRole("button", { name: "Save mine over it" }).click();
    await expect.poll(() => content(page, "config.ini")).toBe("mine\r\n");
  });
  await test.step("what is no text is not shown as if it were", async () => {
    await put(page, world, "picture.raw", "\0\x01\x02");
    await page.goto(address("?file=picture.raw"));
    await expect(page.getByRole("heading", { name: "This is not text" })).toBeVisible();
  });
});

test("folders and names are changed by keyboard, and deleting says what goes", async ({ as, world, allowed }) => {
  allowed.push(/status of 404 .*nowhere/);
  const page = await as(owner, { at: address() });
  for (const path of ["desk/plan.txt", "desk/old/a.txt", "desk/old/b.txt", "desk/.secret"]) {
    const parent = path.slice(0, path.lastIndexOf("/"));
    await page.context().request.post(api(parent), { data: { type: "directory" }, headers: { origin: world.url } });
    await put(page, world, path, "x\n");
  }
  await page.goto(address("?path=desk"));
  await test.step("arrows go through the names, Enter opens, Backspace goes back to where one was", async () => {
    await row(page, "old").getByRole("link").focus();
    await page.keyboard.press("Enter");
    await expect(page).toHaveURL(/path=desk%2Fold/);
    await expect(page.getByRole("link", { name: "One folder up" })).toBeFocused();
    await page.keyboard.press("ArrowDown");
    await expect(page.getByRole("link", { name: "a.txt" })).toBeFocused();
    await page.keyboard.press("Backspace");
    await expect(page.getByRole("link", { name: "old", exact: true })).toBeFocused();
  });
  await test.step("hidden files are shown when asked for", async () => {
    await expect(page.getByText(/2\sentries, 1 hidden/)).toBeVisible();
    await page.getByRole("button", { name: "Hidden files" }).click();
    await expect(row(page, ".secret")).toBeVisible();
    await page.getByRole("button", { name: "Hidden files" }).click();
  });
  await test.step("F2 renames, and says when a name is taken", async () => {
    await page.getByRole("link", { name: "plan.txt" }).focus();
    await page.keyboard.press("F2");
    const dialog = page.getByRole("dialog", { name: "Rename plan.txt" });
    await dialog.getByLabel("Name").fill("old");
    await page.keyboard.press("Enter");
    await expect(dialog.getByLabel("Name")).toHaveAccessibleDescription("There is something of that name already.");
    await dialog.getByLabel("Name").fill("plan 2.txt");
    await page.keyboard.press("Enter");
    await expect(row(page, "plan 2.txt")).toBeVisible();
  });
  await test.step("a new folder is entered, and something is moved into it and back", async () => {
    await page.getByRole("button", { name: "New", exact: true }).click();
    await page.getByRole("menuitem", { name: "Folder" }).click();
    await page.getByRole("dialog", { name: "New folder" }).getByLabel("Name").fill("archive");
    await page.keyboard.press("Enter");
    await expect(page.getByText("This folder is empty")).toBeVisible();
    await page.goto(address("?path=desk"));
    await page.getByRole("button", { name: "Actions for plan 2.txt" }).click();
    await page.getByRole("menuitem", { name: "Move" }).click();
    const dialog = page.getByRole("dialog", { name: "Move plan 2.txt" });
    await expectAccessible(page, "moving");
    await dialog.getByRole("button", { name: "archive" }).click();
    await dialog.getByRole("button", { name: "Move to archive" }).click();
    await expect(row(page, "plan 2.txt")).toHaveCount(0);
    await page.getByRole("button", { name: "Undo" }).click();
    await expect(row(page, "plan 2.txt")).toBeVisible();
  });
  await test.step("several are deleted at once, after it was said what goes", async () => {
    await page.getByRole("checkbox", { name: "Select old" }).check();
    await page.getByRole("checkbox", { name: "Select plan 2.txt" }).check();
    await expect(page.getByRole("region", { name: "Selected files" })).toContainText(/1\sfolder and 1\sfile/);
    await expectAccessible(page, "selected files");
    await page.getByRole("region", { name: "Selected files" }).getByRole("button", { name: "Delete" }).click();
    const dialog = page.getByRole("dialog", { name: "Delete 2 selected?" });
    await expect(dialog).toContainText("with all that is in it, and 1");
    await dialog.getByRole("button", { name: "Keep it" }).click();
    await expect(row(page, "old")).toBeVisible();
    await page.getByRole("region", { name: "Selected files" }).getByRole("button", { name: "Delete" }).click();
    await dialog.getByRole("button", { name: "Delete 2" }).click();
    await expect(row(page, "old")).toHaveCount(0);
    await expect(row(page, "archive")).toBeVisible();
  });
  await test.step("a folder that is not there says so, and leads up", async () => {
    await page.goto(address("?path=desk/nowhere"));
    await expect(page.getByRole("link", { name: "To ~/desk" })).toBeVisible();
  });
});
