// The executable as its users have it: a data directory of its own, a free port, stopped by its process id.
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

export const root = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../../..");

/** The executable under test: the one that is named, else the shipped one, else the one of development. */
export function binary(): string {
  const named = process.env.CODEX_WEB_TEST_BINARY || process.env.CODEX_WEB_BINARY;
  const choices = named ? [resolve(named)] : [join(root, "target/x86_64-unknown-linux-musl/dist/codex-web"), join(root, "target/debug/codex-web")];
  const found = choices.find((path) => existsSync(path));
  if (!found) throw new Error(`There is no executable at ${choices.join(" or ")}. Build it first: cargo build`);
  return found;
}

/** A port that nobody listens on now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

export class Program {
  readonly dir = mkdtempSync(join(tmpdir(), "codex-web-browser-"));
  readonly log: string[] = [];
  /** Where the interface is, for example `http://localhost:40123`. */
  url = "";
  private child: ChildProcess | null = null;
  private port = 0;

  /** With these settings, by the names of the environment. */
  constructor(private readonly settings: Record<string, string> = {}) {
    chmodSync(this.dir, 0o711); // the users of the workspaces pass through it
  }

  /** Nothing of the caller's own environment decides a test. */
  private get environment() {
    return { PATH: process.env.PATH ?? "", HOME: this.dir, CODEX_WEB_DATA_DIR: join(this.dir, "data"), RUNTIME_DIRECTORY: join(this.dir, "run"), ...this.settings };
  }

  /** Starts the server; a second time on the same port, so that open pages find it again. */
  async start(): Promise<void> {
    this.port ||= await freePort();
    const child = spawn(binary(), ["serve", "--listen", `127.0.0.1:${this.port}`, "--log-format", "json"], { cwd: this.dir, env: this.environment, stdio: ["ignore", "ignore", "pipe"] });
    this.child = child;
    await new Promise<void>((ready, failed) => {
      child.once("exit", (code) => failed(new Error(`The server ended with ${code}:\n${this.log.slice(-20).join("\n")}`)));
      createInterface({ input: child.stderr! }).on("line", (line) => {
        this.log.push(line);
        const url = /"url":"([^"]+)"/.exec(line)?.[1];
        if (url && line.includes("serving")) {
          this.url = url.replace(/\/$/, "");
          ready();
        }
      });
    });
  }

  /** Asks it to stop, and waits until it has. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    const hard = setTimeout(() => child.kill("SIGKILL"), 20_000);
    await gone;
    clearTimeout(hard);
    this.child = null;
  }

  /** Runs another command of the executable on the same data; what it printed. */
  async run(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(binary(), args, { cwd: this.dir, env: this.environment });
    return stdout;
  }

  /** A new one-time link for the first administrator. */
  async setUpLink(): Promise<string> {
    const printed = await this.run("setup-code");
    const link = /https?:\/\/\S+\/setup#\S+/.exec(printed)?.[0];
    if (!link) throw new Error(`No link in: ${printed}`);
    return link;
  }

  /** Stops the server and removes its data. */
  async remove(): Promise<void> {
    await this.stop();
    if (!process.env.KEEP_DATA) rmSync(this.dir, { recursive: true, force: true });
  }
}
