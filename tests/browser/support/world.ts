// An installation with people, groups and quotas in it, made through the API as a script of theirs would.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { Program } from "./program.ts";

export interface Person { id: string; username: string; email: string; name: string; password: string }
export interface Group { id: string; name: string; displayName: string }
export interface Workspace { id: string; name: string; status: string; groupId: string }

const PASSWORD = "a quiet harbour in autumn";

/** A client of the API with one person's access token. */
export class Api {
  private constructor(readonly url: string, private readonly username = "", private readonly password = "", private token = "") {}

  async call(method: string, path: string, body?: unknown): Promise<any> {
    let response = await this.send(method, path, body);
    // An access token lives for minutes, a run of all journeys longer.
    if (response.status === 401 && this.token) {
      this.token = (await Api.signIn(this.url, this.username, this.password)).token;
      response = await this.send(method, path, body);
    }
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  /** A client of somebody who has not signed in. */
  static unknown(url: string): Api {
    return new Api(url);
  }

  static async signIn(url: string, username: string, password: string): Promise<Api> {
    const { accessToken } = await Api.unknown(url).call("POST", "/api/auth/login", { username, password });
    return new Api(url, username, password, accessToken);
  }

  private send(method: string, path: string, body?: unknown): Promise<Response> {
    const headers: Record<string, string> = { accept: "application/json" };
    if (this.token) headers.authorization = `Bearer ${this.token}`;
    if (body !== undefined) headers["content-type"] = "application/json";
    return fetch(this.url + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  }
}

export class World {
  readonly people = new Map<string, Person>();
  private readonly clients = new Map<string, Api>();

  private constructor(readonly program: Program, readonly admin: Person) {
    this.people.set(admin.username, admin);
  }

  get url() {
    return this.program.url;
  }

  /** A running server with its first administrator and these settings, and nothing else. */
  static start(settings: Record<string, string> = {}): Promise<World> {
    return World.on(new Program(settings));
  }

  /** As `start`, on a server that was made already and has nobody yet. */
  static async on(program: Program): Promise<World> {
    await program.start();
    const code = (await program.setUpLink()).split("#")[1];
    const asked = { username: "mara.holt", email: "mara.holt@example.org", name: "Mara Holt", password: PASSWORD };
    const { user } = await Api.unknown(program.url).call("POST", "/api/setup", { code, ...asked });
    return new World(program, { ...asked, id: user.id });
  }

  /** The API as one of the people; signed in once. */
  async api(who: Person = this.admin): Promise<Api> {
    let client = this.clients.get(who.username);
    if (!client) this.clients.set(who.username, (client = await Api.signIn(this.url, who.username, who.password)));
    return client;
  }

  /** An account that can sign in at once. */
  async person(username: string, name: string, more: { isAdmin?: boolean } = {}): Promise<Person> {
    const api = await this.api();
    const email = `${username}@example.org`;
    const made = await api.call("POST", "/api/admin/users", { username, email, name, temporaryPassword: `${PASSWORD} at first`, ...more });
    await api.call("POST", `/api/admin/users/${made.id}/reset-password`, { newPassword: PASSWORD, permanent: true });
    const person = { id: made.id, username, email, name, password: PASSWORD };
    this.people.set(username, person);
    return person;
  }

  /** A group with its members, the ones in `admins` as its admins. */
  async group(name: string, displayName: string, members: Person[], admins: Person[] = [], quota: object = {}, description?: string): Promise<Group> {
    const api = await this.api();
    const resourceQuota = { cpu: "10", memory: "20Gi", storage: "100Gi", pods: 20, ...quota };
    const group = await api.call("POST", "/api/groups", { name, displayName, description, namespace: `codex-platform-${name}`, resourceQuota });
    const others = members.filter(({ id }) => id !== this.admin.id); // who makes a group is in it
    for (const person of others) await api.call("POST", `/api/groups/${group.id}/members`, { userId: person.id, role: "member" });
    for (const person of admins) await api.call("POST", `/api/groups/${group.id}/members`, { userId: person.id, role: "admin" });
    return group;
  }

  /** A workspace of this person; started and running unless it is asked otherwise. */
  async workspace(owner: Person, group: Group, name: string, { start = true, resources = { cpu: "1", memory: "1Gi", storage: "1Gi" }, description = undefined as string | undefined, templateId = undefined as string | undefined } = {}): Promise<Workspace> {
    const api = await this.api(owner);
    const made = await api.call("POST", "/api/workspaces", { name, groupId: group.id, resources, start, description, templateId });
    return start ? this.until(made.id, "running", owner) : made;
  }

  /** Waits until a workspace has this status. */
  async until(id: string, status: string, who: Person = this.admin, patience = 30_000): Promise<Workspace> {
    const api = await this.api(who);
    const deadline = Date.now() + patience;
    for (;;) {
      const now = await api.call("GET", `/api/workspaces/${id}`);
      if (now.status === status) return now;
      if (now.status === "error" || Date.now() > deadline) throw new Error(`${now.name} is ${now.status}, not ${status}: ${JSON.stringify(now.reason)}`);
      await new Promise((done) => setTimeout(done, 100));
    }
  }

  /** Makes a workspace one that nobody has used for so many hours, as the server finds it out: no test waits for hours. */
  async unused(workspace: Workspace, hours: number): Promise<void> {
    const script = `
import sqlite3, sys, time
database, workspace, group, hours = sys.argv[1:]
since = int(time.time() * 1000) - int(hours) * 3_600_000
with sqlite3.connect(database, timeout=10) as connection:
    connection.execute("UPDATE workspace SET created_at = ?, started_at = ? WHERE id = ?", (since, since, workspace))
    connection.execute("DELETE FROM workspace_activity WHERE workspace_id = ?", (workspace,))
    connection.execute("INSERT INTO usage_finding (kind, subject, resource, group_id, level, since) VALUES ('idle', ?, '', ?, 0, ?)", (workspace, group, since))
`;
    execFileSync("/usr/bin/python3", ["-c", script, join(this.program.dir, "data", "codex-web.db"), workspace.id, workspace.groupId, String(hours)]);
  }
}
