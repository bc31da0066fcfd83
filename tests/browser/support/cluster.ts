// The Kubernetes of tests/kubernetes, and a server that was deployed into it from the shipped manifests.
import { execFile, execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import dns from "node:dns";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Program, root } from "./program.ts";

const scripts = join(root, "tests/kubernetes/cluster");

/** What pods run: the agent's image, and the one with code-server in it. */
export const AGENT_IMAGE = process.env.CODEX_WEB_TEST_KUBE_AGENT_IMAGE || "registry.local/codex-web-agent:test";
export const EDITOR_IMAGE = "registry.local/code-server:1";
export const SHELL_IMAGE = "registry.local/busybox:1";

/** A cluster that `tests/kubernetes/cluster/up` made. */
export class Cluster {
  constructor(readonly state: string) {}

  /** The one that the stage `kubernetes` brought up; none where it is somebody's or a control plane alone. */
  static given(): Cluster | null {
    const state = process.env.CODEX_WEB_TEST_KUBE_STATE;
    if (!state || !readFileSync(join(state, "cluster"), "utf8").startsWith("node ")) return null;
    return new Cluster(state);
  }

  /** What kubectl prints, as the administrator of the cluster. */
  async kubectl(...words: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(join(scripts, "kubectl"), [this.state, ...words], { maxBuffer: 64 << 20 });
    return stdout;
  }

  private get number(): string {
    return readFileSync(join(this.state, "cluster"), "utf8").trim().split(" ")[1];
  }

  /** Stops one of the cluster's programs, as a crash does, or starts it again. */
  component(name: string, what: "stop" | "start"): void {
    execFileSync(join(scripts, "component"), [this.state, name, what], { stdio: "inherit" });
  }

  /** The agent of a pod, as a process of this machine; none while its container is not there. */
  agentOf(pod: string): number | null {
    const is = (pid: string) => {
      try {
        return readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(`pod${pod}`) && readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith("/codex-web/codex-web\0agent\0--order");
      } catch {
        return false; // it has ended meanwhile
      }
    };
    const found = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && is(name));
    return found.length === 0 ? null : Math.min(...found.map(Number));
  }

  /** A registry that the node reaches and that has no image at all. */
  async emptyRegistry(): Promise<{ name: string; server: Server }> {
    const server = createServer((request, response) => {
      const known = request.url === "/v2/";
      response.writeHead(known ? 200 : 404, { "content-type": "application/json" });
      response.end(known ? "{}" : '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
    });
    const address = `10.245.${this.number}.1`;
    await new Promise<void>((done) => server.listen(0, address, done));
    const { port } = server.address() as { port: number };
    const name = "registry.example.net";
    mkdirSync(join(this.state, "certs.d", name), { recursive: true });
    writeFileSync(join(this.state, "certs.d", name, "hosts.toml"), `server = "http://${address}:${port}"\n\n[host."http://${address}:${port}"]\n`);
    return { name, server };
  }

  /** Gives the node the image with code-server, made of what tests/apps/install left. */
  importEditor(): void {
    execFileSync(join(scripts, "images"), ["editor", join(root, "target/tools/apps/code-server"), this.state], { stdio: "inherit" });
  }

  /** The settings of a server that runs beside the cluster and reaches agents in this way. */
  settings(connect: "direct" | "port-forward"): Record<string, string> {
    return {
      CODEX_WEB_CLUSTER__KIND: "kubernetes", CODEX_WEB_CLUSTER__KUBECONFIG: join(this.state, "admin.conf"), CODEX_WEB_CLUSTER__CONNECT: connect,
      CODEX_WEB_CLUSTER__AGENT_IMAGE: AGENT_IMAGE, CODEX_WEB_CLUSTER__SHELL_IMAGE: SHELL_IMAGE, CODEX_WEB_CLUSTER__CODE_SERVER_IMAGE: EDITOR_IMAGE,
      CODEX_WEB_CLUSTER__SERVER_CIDR: `10.245.${this.number}.1/32`,
    };
  }

  /** Waits until a namespace is not there any more. */
  async isGone(namespace: string): Promise<void> {
    await this.kubectl("wait", "--for=delete", `namespace/${namespace}`, "--timeout=90s");
  }
}

/** The server as a pod, with its own service account, seen from this machine by the address of its Service. */
export class Deployed extends Program {
  static readonly HOST = "codex-web.test";
  static readonly APPS = "codex-web-apps.test";
  readonly overlay = mkdtempSync(join(tmpdir(), "codex-web-overlay-"));
  /** The address of its Service. */
  address = "";

  constructor(readonly cluster: Cluster) {
    super();
  }

  /** The shipped manifests with the image and the names of this cluster. */
  private write(): void {
    const base = join(this.overlay, "base");
    mkdirSync(base);
    const shipped = join(root, "packaging/kubernetes");
    for (const name of readdirSync(shipped)) if (statSync(join(shipped, name)).isFile()) cpSync(join(shipped, name), join(base, name));
    const config = readFileSync(join(base, "codex-web.toml"), "utf8")
      .replaceAll("registry.example.org/codex-web:0.1.0", AGENT_IMAGE)
      .replaceAll("codex-web.example.org", Deployed.HOST)
      .replaceAll("codex-web-apps.example.net", Deployed.APPS);
    writeFileSync(join(base, "codex-web.toml"), `${config}shell_image = "${SHELL_IMAGE}"\ncode_server_image = "${EDITOR_IMAGE}"\n`);
    const [name, tag] = AGENT_IMAGE.split(/:(?=[^:]*$)/);
    const images = `images: [{name: registry.example.org/codex-web, newName: ${name}, newTag: "${tag}"}]\n`;
    writeFileSync(join(this.overlay, "kustomization.yaml"), `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [base]\n${images}`);
  }

  override async start(): Promise<void> {
    this.write();
    await this.cluster.kubectl("apply", "--kustomize", this.overlay);
    await this.cluster.kubectl("--namespace=codex-web", "rollout", "status", "deployment/codex-web", "--timeout=90s");
    this.address = await this.cluster.kubectl("--namespace=codex-web", "get", "service", "codex-web", "--output=jsonpath={.spec.clusterIP}");
    this.url = `https://${Deployed.HOST}`;
    knows(Deployed.HOST, this.address);
  }

  override async stop(): Promise<void> {}

  override run(...words: string[]): Promise<string> {
    return this.cluster.kubectl("--namespace=codex-web", "exec", "deployment/codex-web", "--", "/proc/1/exe", ...words);
  }

  override async remove(): Promise<void> {
    await this.cluster.kubectl("delete", "--kustomize", this.overlay, "--ignore-not-found", "--wait=true");
    rmSync(this.overlay, { recursive: true, force: true });
    await super.remove();
  }
}

/** Lets this process find a name that is in nobody's DNS; the certificate behind it is the server's own. */
function knows(name: string, address: string): void {
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  const ask = dns.lookup as (...words: any[]) => void;
  (dns as any).lookup = (host: string, options: any, done: any) => {
    const [how, answer] = typeof options === "function" ? [{}, options] : [options, done];
    if (host !== name) return ask(host, how, answer);
    return how?.all ? answer(null, [{ address, family: 4 }]) : answer(null, address, 4);
  };
}
