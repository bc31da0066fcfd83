#!/usr/bin/env python3
"""Measures an executable of Codex Web from outside: as a process, over its socket. See README.md."""

import argparse
import atexit
import base64
import json
import os
import pty
import select
import shutil
import socket
import sqlite3
import statistics
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

PASSWORD = "plum orbit lantern quiver"
SMALL = 1_000


REALTIME = False


def hurry(on):
    """On a busy machine: what is measured goes before everything else. Processes that are started inherit it."""
    if REALTIME:
        os.sched_setscheduler(0, os.SCHED_RR if on else os.SCHED_OTHER, os.sched_param(20 if on else 0))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Site:
    """A data directory and the executable that serves it."""

    def __init__(self, binary):
        self.binary = binary
        self.dir = Path(tempfile.mkdtemp(prefix="codex-web-bench-"))
        self.child = None
        self.port = None
        atexit.register(self.end)

    def environment(self):
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.dir),
            "CODEX_WEB_DATA_DIR": str(self.dir / "data"),
            "CODEX_WEB_LIMITS__RATE": "off",
            "RUNTIME_DIRECTORY": str(self.dir / "run"),
        }

    def run(self, *arguments, text=""):
        done = subprocess.run([self.binary, *arguments], input=text.encode(), env=self.environment(), cwd=self.dir, capture_output=True)
        if done.returncode != 0:
            raise SystemExit(f"{arguments}: {done.stderr.decode()}")

    def add_admin(self):
        self.run("user", "add", "root", "--email", "root@example.org", "--admin", "--password-stdin", text=PASSWORD)

    def serve(self):
        """Starts it; the answer is the seconds until the first answer."""
        self.port = free_port()
        command = [self.binary, "serve", "--listen", f"127.0.0.1:{self.port}", "--log-format", "json"]
        log = open(self.dir / "log", "ab")
        started = time.perf_counter()
        self.child = subprocess.Popen(command, env=self.environment(), cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while True:
            try:
                client = Client(self.port)
                status, _ = client.call("GET", "/api/health/live")
                took = time.perf_counter() - started
                client.close()
                assert status == 200, status
                return took
            except (ConnectionError, OSError):
                if self.child.poll() is not None:
                    raise SystemExit((self.dir / "log").read_text()[-2000:])
                if time.perf_counter() - started > 30:
                    raise SystemExit("it does not start")
                time.sleep(0.0005)

    def stop(self):
        self.child.terminate()
        self.child.wait()

    def end(self):
        """Leaves nothing behind, also when a part fails."""
        if self.child and self.child.poll() is None:
            self.stop()
        self.remove()

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def memory(self):
        """Resident set, and how much of it is the program's own and not pages of files."""
        lines = Path(f"/proc/{self.child.pid}/status").read_text().splitlines()
        kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("VmRSS", "RssAnon"))}
        return f"{kilobytes['VmRSS'] / 1000:.1f} MB ({kilobytes['RssAnon'] / 1000:.1f} MB anonymous)"

    def database(self):
        return sqlite3.connect(self.dir / "data" / "codex-web.db", isolation_level=None)


class Client:
    """One kept-alive connection."""

    def __init__(self, port, token=None):
        self.port, self.token = port, token
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def close(self):
        self.socket.close()

    def call(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else b""
        head = f"{method} {path} HTTP/1.1\r\nhost: localhost:{self.port}\r\n"
        if self.token:
            head += f"authorization: Bearer {self.token}\r\n"
        if body is not None:
            head += "content-type: application/json\r\n"
        self.socket.sendall(f"{head}content-length: {len(data)}\r\n\r\n".encode() + data)
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        status = int(head[9:12])
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
        while len(self.buffer) < length:
            self._more()
        data, self.buffer = self.buffer[:length], self.buffer[length:]
        return status, data

    def _more(self):
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionError("hung up")
        self.buffer += data

    def json(self, method, path, body=None, expect=(200, 201)):
        status, data = self.call(method, path, body)
        if status not in expect:
            raise SystemExit(f"{method} {path}: {status} {data[:400]!r}")
        return json.loads(data)


def sign_in(port, name="root"):
    return Client(port).json("POST", "/api/auth/login", {"username": name, "password": PASSWORD})["accessToken"]


# --- saying it -------------------------------------------------------------------------------------------------------


def quantile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


def say(what, value, limit=""):
    print(f"{what:<58} {value:<34} {limit}", flush=True)


def milliseconds(seconds):
    return f"{seconds * 1000:.2f} ms"


def timed(call, times, warm=5):
    for _ in range(warm):
        call()
    took = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        took.append(time.perf_counter() - started)
    return took


def spread(took):
    return f"p50 {milliseconds(quantile(took, 0.5))}, p99 {milliseconds(quantile(took, 0.99))}"


def throughput(port, token, call, seconds=3.0, clients=4):
    counts = [0] * clients
    end = time.perf_counter() + seconds

    def work(at):
        client = Client(port, token)
        while time.perf_counter() < end:
            call(client, at, counts[at])
            counts[at] += 1

    threads = [threading.Thread(target=work, args=(at,)) for at in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return f"{sum(counts) / seconds:.0f}/s with {clients} connections"


# --- rows ------------------------------------------------------------------------------------------------------------


def seed(site, rows):
    """Fills users, groups, workspaces and the audit log up to so many rows each, by SQL as the schema has it."""
    hurry(False)
    file = site.database()
    file.execute("PRAGMA journal_mode = MEMORY")
    file.execute("PRAGMA synchronous = OFF")
    file.execute("PRAGMA cache_size = -400000")
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) "
    admin = "(SELECT id FROM user WHERE username = 'root')"
    organization = "(SELECT id FROM organization LIMIT 1)"
    version = "(SELECT id FROM template_version LIMIT 1)"
    spec = "(SELECT spec FROM workspace LIMIT 1)"
    steps = [
        f"INSERT INTO user (id, username, email, name, created_at, updated_at) {numbers}"
        "SELECT printf('usr_%032x', i), printf('person-%07d', i), printf('person-%07d@example.org', i), printf('Person %d', i), i, i FROM n",
        f'INSERT INTO "group" (id, organization_id, name, display_name, namespace, status, owner_id, quota_cpu_milli, '
        f"quota_memory_bytes, quota_storage_bytes, quota_workspaces, observed_generation, created_at, updated_at) {numbers}"
        f"SELECT printf('grp_%032x', i), {organization}, printf('team-%07d', i), printf('Team %d', i), printf('codex-platform-team-%07d', i), "
        f"'active', {admin}, 10000, 21474836480, 107374182400, 20, 1, i, i FROM n",
        f"INSERT INTO membership (group_id, user_id, role, joined_at, granted_at) {numbers}"
        "SELECT printf('grp_%032x', i), printf('usr_%032x', i), 'member', i, i FROM n",
        f"INSERT INTO workspace (id, group_id, owner_id, name, template_version_id, image, spec_format, spec, desired, cpu_milli, "
        f"memory_bytes, disk_bytes, local_uid, created_at, updated_at) {numbers}"
        f"SELECT printf('ws_%032x', i), printf('grp_%032x', i), printf('usr_%032x', i), printf('space %d', i), {version}, 'local:shell', "
        f"(SELECT spec_format FROM workspace LIMIT 1), {spec}, 'stopped', 1000, 1073741824, 1073741824, 3000000 + i, i, i FROM n",
        f"INSERT INTO workspace_status (workspace_id, since) {numbers} SELECT printf('ws_%032x', i), i FROM n",
        f"INSERT INTO audit_event (seq, format, ts, id, actor_kind, actor_id, action, resource, success, request_id, details, prev, hash) {numbers}"
        "SELECT (SELECT max(seq) FROM audit_event) + i, 1, 1700000000000 + i, printf('audit_%032x', i), 'user', printf('usr_%032x', 1 + i % 20), 'create_user', "
        "printf('user:usr_%032x', i), 1, printf('call_%032x', i), '{}', x'00', x'00' FROM n",
    ]
    for step in steps:
        started = time.perf_counter()
        file.execute(step)
        if rows > 10_000:
            print(f"  seeded in {time.perf_counter() - started:.0f} s: {step.split('(')[0]}", flush=True)
    merge_search_index(file)
    file.execute("PRAGMA journal_mode = WAL")
    file.close()
    hurry(True)


def merge_search_index(file):
    """As the server's upkeep does it every ten minutes, and so all along while so many rows come to be."""
    while True:
        before = file.total_changes
        file.execute("INSERT INTO search (search, rank) VALUES ('merge', 16000)")
        if file.total_changes - before < 2:
            return


def populated(binary, rows):
    site = Site(binary)
    site.add_admin()
    site.serve()
    client = Client(site.port, sign_in(site.port))
    group = client.json("POST", "/api/groups", {"name": "bench", "displayName": "Bench"})
    client.json("POST", "/api/workspaces", {"name": "pattern", "groupId": group["id"]})
    client.close()
    site.stop()
    seed(site, rows)
    return site


# --- the parts -------------------------------------------------------------------------------------------------------


def measure_start(binary):
    say("size of the executable", f"{os.path.getsize(binary) / 1e6:.1f} MB", "< 30 MB")
    empty = []
    for _ in range(7):
        site = Site(binary)
        empty.append(site.serve())
        site.stop()
        site.remove()
    say("start to first answer, empty directory", f"median {milliseconds(statistics.median(empty))}, worst {milliseconds(max(empty))}", "< 150 ms")
    site = Site(binary)
    site.add_admin()
    again = []
    for _ in range(9):
        again.append(site.serve())
        site.stop()
    say("start to first answer, existing database", f"median {milliseconds(statistics.median(again))}, worst {milliseconds(max(again))}", "< 50 ms")
    site.serve()
    time.sleep(8)
    say("idle memory (VmRSS after 8 s)", site.memory(), "< 40 MB")
    client = Client(site.port, sign_in(site.port))
    timed(lambda: client.json("GET", "/api/auth/me"), 1_000)
    time.sleep(2)
    say("memory after a sign-in and 1,000 reads", site.memory())
    site.stop()
    site.remove()


def measure_calls(binary):
    site = Site(binary)
    site.add_admin()
    site.serve()
    anonymous = Client(site.port)
    login = {"username": "root", "password": PASSWORD}
    say("sign-in", spread(timed(lambda: anonymous.json("POST", "/api/auth/login", login), 40)))
    say("sign-in, throughput", throughput(site.port, None, lambda c, _a, _n: c.json("POST", "/api/auth/login", login), 5.0))
    token = sign_in(site.port)
    client = Client(site.port, token)
    groups = []
    for n in range(20):
        body = {"name": f"team-{n}", "displayName": f"Team {n}", "resourceQuota": {"cpu": "10000", "memory": "100000Gi", "storage": "1000000Gi", "pods": 100000}}
        groups.append(client.json("POST", "/api/groups", body)["id"])
    say("list of 20 groups", spread(timed(lambda: client.json("GET", "/api/groups?limit=20"), 500)))
    say("list of 20 groups, throughput", throughput(site.port, token, lambda c, _a, _n: c.json("GET", "/api/groups?limit=20")))
    number = iter(range(10**9))
    create = lambda c, a, n: c.json("POST", "/api/workspaces", {"name": f"space {a} {n}", "groupId": groups[a % 20]})
    say("create a workspace", spread(timed(lambda: create(client, 19, next(number)), 200)))
    say("create a workspace, throughput", throughput(site.port, token, create))
    site.stop()
    site.remove()


LISTS = [
    ("users", "/api/admin/users?limit=20"),
    ("users, search", "/api/admin/users?limit=20&search=person-0000"),
    ("groups", "/api/groups?limit=20"),
    ("groups by title", "/api/groups?limit=20&sort=displayName"),
    ("workspaces", "/api/admin/workspaces?limit=20"),
    ("workspaces, search", "/api/admin/workspaces?limit=20&search=space"),
    ("audit log", "/api/admin/audit-logs?limit=20"),
    ("audit log of one person", "/api/admin/audit-logs?limit=20&userId=usr_00000000000000000000000000000001"),
    ("audit log of one action", "/api/admin/audit-logs?limit=20&action=create_user"),
]


def measure_lists(binary, rows):
    small = populated(binary, SMALL)
    print(f"seeding {rows:,} rows each; this takes a while", flush=True)
    large = populated(binary, rows)
    say(f"start to first answer with {rows:,} rows each", milliseconds(large.serve()), "< 50 ms")
    small.serve()
    clients = [Client(site.port, sign_in(site.port)) for site in (small, large)]
    one = "0" * 29 + "1f4"
    for name, path in [("user", f"/api/admin/users/usr_{one}"), ("group", f"/api/groups/grp_{one}"), ("workspace", f"/api/workspaces/ws_{one}"), ("oneself", "/api/auth/me")]:
        say(f"one {name} among {rows:,}", spread(timed(lambda: clients[1].json("GET", path), 1_000)), "p99 < 5 ms")
    for name, path in LISTS:
        first, second = (quantile(timed(lambda: client.json("GET", path), 300), 0.5) for client in clients)
        say(f"list: {name}, p50 at {SMALL:,} / {rows:,} rows", f"{milliseconds(first)} / {milliseconds(second)} = {second / first:.2f}", "<= 1.5")
    pages = deep_page(clients[1])
    say(f"users, 200 pages in, p50 at {rows:,} rows", milliseconds(quantile(timed(lambda: clients[1].json("GET", pages), 200), 0.5)))
    say(f"memory with {rows:,} rows each, after this", large.memory())
    for site in (small, large):
        site.stop()
        site.remove()


def deep_page(client):
    path = "/api/admin/users?limit=100"
    for _ in range(200):
        token = client.json("GET", path).get("nextToken")
        if not token:
            break
        path = f"/api/admin/users?limit=100&nextToken={token}"
    return path


# --- create to prompt ------------------------------------------------------------------------------------------------


class Terminal:
    """Just enough of a WebSocket to read what a shell says."""

    def __init__(self, port, token, workspace):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /api/workspaces/{workspace}/terminal?session=main HTTP/1.1\r\nhost: localhost:{port}\r\nauthorization: Bearer {token}\r\n"
            f"connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n\r\n".encode()
        )
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        self.status = int(head[9:12])

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("hung up")
        self.buffer += data

    def _take(self, count):
        while len(self.buffer) < count:
            self._more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def frame(self):
        first, second = self._take(2)
        length = second & 127
        if length == 126:
            length = struct.unpack(">H", self._take(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self._take(8))[0]
        return first & 15, self._take(length)

    def until_prompt(self):
        seen = b""
        while not (seen.rstrip().endswith((b"$", b"#", b">", b"%"))):
            kind, data = self.frame()
            if kind == 8:
                raise SystemExit(f"the terminal ended: {data!r}")
            if kind == 2:
                # Eight bytes of offset may stand in front; prompts end the frame either way.
                seen += data
        return seen


def shell_alone():
    """From starting an interactive shell on a terminal to its prompt."""
    started = time.perf_counter()
    child, terminal = pty.fork()
    if child == 0:
        shell = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
        os.execve(shell, [shell, "-l"], {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "TERM": "xterm-256color"})
    seen = b""
    while not seen.rstrip().endswith((b"$", b"#", b">", b"%")):
        select.select([terminal], [], [], 10)
        seen += os.read(terminal, 4096)
    took = time.perf_counter() - started
    os.close(terminal)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return took


def measure_shell(binary):
    # Realtime processes cannot enter a control group that has no share of realtime.
    hurry(False)
    site = Site(binary)
    site.add_admin()
    site.serve()
    token = sign_in(site.port)
    client = Client(site.port, token)
    group = client.json("POST", "/api/groups", {"name": "bench", "displayName": "Bench"})["id"]
    time.sleep(5)
    alone = statistics.median(shell_alone() for _ in range(5))
    took, ready = [], []
    for n in range(7):
        started = time.perf_counter()
        made = client.json("POST", "/api/workspaces", {"name": f"shell {n}", "groupId": group, "start": True})
        while True:
            now = client.json("GET", f"/api/workspaces/{made['id']}")
            if now["status"] == "running":
                break
            if now["status"] == "error":
                raise SystemExit(f"it does not run here: {now['reason']}")
            time.sleep(0.002)
        ready.append(time.perf_counter() - started)
        terminal = Terminal(site.port, token, made["id"])
        if terminal.status != 101:
            raise SystemExit(f"the terminal answers {terminal.status}")
        terminal.until_prompt()
        took.append(time.perf_counter() - started)
        client.call("DELETE", f"/api/workspaces/{made['id']}")
    say("create a workspace until it runs", f"median {milliseconds(statistics.median(ready))}, worst {milliseconds(max(ready))}")
    say("create a workspace until the shell's prompt", f"median {milliseconds(statistics.median(took))}, worst {milliseconds(max(took))}", f"< 500 ms + {milliseconds(alone)} (the shell alone)")
    health = client.json("GET", "/api/health/detailed")["cluster"]
    say("sandbox", health["summary"][:200])
    for check in health["checks"]:
        say(f"  {check['name']}", "held" if check["blocked"] else "NOT HELD")
    site.stop()
    site.remove()
    hurry(True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", default="start,calls,shell,lists")
    parser.add_argument("--realtime", action="store_true", help="run what is measured before everything else on the machine (root)")
    options = parser.parse_args()
    global REALTIME
    REALTIME = options.realtime
    hurry(True)
    binary = os.path.abspath(options.binary)
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    print(f"{os.cpu_count()} cores, {model}; load before: {', '.join(f'{n:.1f}' for n in os.getloadavg())}")
    parts = options.only.split(",")
    if "start" in parts:
        measure_start(binary)
    if "calls" in parts:
        measure_calls(binary)
    if "shell" in parts:
        measure_shell(binary)
    if "lists" in parts:
        measure_lists(binary, options.rows)


if __name__ == "__main__":
    main()
