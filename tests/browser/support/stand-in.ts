// A small program in the place of VS Code, installed as an operator installs the real one: it answers at once, starts
// another program, computes a little, and prints lines in colour.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Program } from "./program.ts";

const PROGRAM = `#!/usr/bin/python3
import itertools, os, socket, subprocess, sys, threading, time

listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[sys.argv.index("--socket") + 1])
listener.listen()

def serve():
    while True:
        guest, _ = listener.accept()
        guest.recv(65536)
        guest.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\nconnection: close\\r\\n\\r\\nok")
        guest.close()

threading.Thread(target=serve, daemon=True).start()
subprocess.Popen(["sleep", "3600"])
print("\\033[31mred alert\\033[0m and \\033[1;32mall well\\033[0m", flush=True)
for n in itertools.count(1):
    print(f"heartbeat {n}", flush=True)
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        pass
    time.sleep(0.3)
`;

/** Installs it as the app code-server of this server. */
export async function installStandIn(program: Program): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "codex-web-stand-in-"));
  const write = (name: string, text: string, mode: number) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text, { mode });
  };
  write("package.json", JSON.stringify({ version: "1.0.0" }), 0o644);
  write("out/node/entry.js", "", 0o644);
  write("lib/node", PROGRAM, 0o755);
  await program.run("apps", "install", "code-server", "--from-dir", folder);
  rmSync(folder, { recursive: true, force: true });
}
