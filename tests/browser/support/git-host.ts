// A git server behind TLS with one repository: `git http-backend`, a certificate of an authority of its own, and a hand on
// the tap, so that a journey sees a clone that goes on.
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** An address of loopback that is not the workspace's own. */
const ADDRESS = "127.0.0.2";
/** Files of the repository and bytes of each: what random bytes weigh, they weigh in a pack too. */
const FILES = 120;
const BYTES = 16 * 1024;

export class GitHost {
  readonly dir = mkdtempSync(join(tmpdir(), "codex-web-git-"));
  private server: Server | null = null;
  private open = () => {};
  private readonly opened = new Promise<void>((done) => { this.open = done; });

  /** Serves; what is more than a third of the repository waits until `letGo`. */
  static async start(): Promise<GitHost> {
    const host = new GitHost();
    host.repository();
    const read = (name: string) => readFileSync(join(host.dir, name));
    host.certificate();
    const server = createServer({ key: read("server.key"), cert: read("server.pem") }, (request, response) => {
      const [path, query = ""] = (request.url ?? "").split("?");
      const backend = spawn("git", ["http-backend"], {
        env: {
          PATH: process.env.PATH, GIT_PROJECT_ROOT: host.dir, GIT_HTTP_EXPORT_ALL: "1", REQUEST_METHOD: request.method, PATH_INFO: path, QUERY_STRING: query,
          CONTENT_TYPE: request.headers["content-type"] ?? "", HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "", GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
        },
        stdio: ["pipe", "pipe", "ignore"],
      });
      request.pipe(backend.stdin);
      const parts: Buffer[] = [];
      backend.stdout.on("data", (part: Buffer) => parts.push(part));
      backend.stdout.on("end", async () => {
        const whole = Buffer.concat(parts);
        const end = whole.indexOf("\r\n\r\n");
        for (const line of whole.subarray(0, end).toString().split("\r\n")) {
          const [name, value] = line.split(": ");
          if (name === "Status") response.statusCode = Number.parseInt(value, 10);
          else response.setHeader(name, value);
        }
        const body = whole.subarray(end + 4);
        const first = Math.min(body.length, (FILES * BYTES) / 3);
        response.write(body.subarray(0, first));
        if (first < body.length) await host.opened;
        response.end(body.subarray(first));
      });
    });
    host.server = server;
    await new Promise<void>((done) => server.listen(0, ADDRESS, done));
    return host;
  }

  get place() {
    return `${ADDRESS}:${(this.server!.address() as AddressInfo).port}`;
  }

  get url() {
    return `https://${this.place}/tool.git`;
  }

  /** Where the certificate of its authority lies. */
  get authority() {
    return join(this.dir, "ca.pem");
  }

  letGo() {
    this.open();
  }

  private git(folder: string, ...words: string[]) {
    execFileSync("git", ["-c", "user.name=Seed", "-c", "user.email=seed@example.org", ...words], { cwd: join(this.dir, folder), stdio: "pipe" });
  }

  private repository() {
    mkdirSync(join(this.dir, "seed"));
    for (let i = 0; i < FILES; i += 1) writeFileSync(join(this.dir, "seed", `file-${i}`), randomBytes(BYTES));
    this.git("seed", "init", "-q", "-b", "main");
    this.git("seed", "add", ".");
    this.git("seed", "commit", "-q", "-m", "first");
    this.git(".", "clone", "-q", "--bare", "seed", "tool.git");
  }

  private certificate() {
    const openssl = (...words: string[]) => execFileSync("openssl", words, { cwd: this.dir, stdio: "pipe" });
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Journey authority", "-keyout", "ca.key", "-out", "ca.pem");
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", `/CN=${ADDRESS}`, "-keyout", "server.key", "-out", "server.csr");
    writeFileSync(join(this.dir, "names"), `subjectAltName=IP:${ADDRESS}\n`);
    openssl("x509", "-req", "-days", "2", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-out", "server.pem");
  }

  stop() {
    this.letGo();
    this.server?.closeAllConnections();
    this.server?.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
