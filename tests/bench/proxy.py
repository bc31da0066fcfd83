#!/usr/bin/env python3
"""The way to an app of a workspace (browser, server, agent, app) beside two chained nginx, in one run: requests a second
for 1 KiB, time to the answer on one connection, MB/s of 300 MB, and the memory that they take. See README.md."""

import argparse
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import urllib.parse
from pathlib import Path

from measure import Client, Site, Terminal, free_port, say, sign_in

BIG = 300_000_000
SINK = """
import socket, threading
def serve(c):
    f, b = c.makefile('rb'), bytearray(1 << 20)
    while True:
        head = {}
        line = f.readline()
        if not line: return
        while True:
            l = f.readline().decode().strip()
            if not l: break
            n, v = l.split(':', 1); head[n.lower()] = v.strip()
        left = int(head.get('content-length', 0))
        while left > 0:
            n = f.readinto1(memoryview(b)[:min(left, len(b))])
            if not n: return
            left -= n
        c.sendall(b'HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok')
s = socket.create_server(('127.0.0.1', %d), backlog=64)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
"""


def nginx(folder, name, http, workers="auto"):
    """A configuration that needs no right to write anywhere but in its folder."""
    temporary = "".join(f"{kind}_temp_path {folder}/{name}-tmp;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    return (
        f"daemon off; worker_processes {workers}; pid {folder}/{name}.pid; error_log {folder}/{name}.log error;"
        f"events {{ worker_connections 1024; }}"
        f"http {{ access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000; client_max_body_size 0; {temporary} {http} }}\n"
    )


def passing(listen, upstream):
    return (
        f"upstream next {{ server {upstream}; keepalive 64; }} server {{ listen {listen};"
        " proxy_request_buffering off; proxy_buffering on; proxy_max_temp_file_size 0;"
        ' location / { proxy_pass http://next; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; } }'
    )


def files(folder, port):
    return nginx(folder, "app", f"server {{ listen 127.0.0.1:{port}; root {folder}/www; }}")


class Chain:
    """Two nginx before the same app, outside any workspace."""

    def __init__(self, folder):
        self.folder, self.children = folder, []
        (folder / "www").mkdir()
        (folder / "www" / "1k").write_bytes(b"x" * 1024)
        with open(folder / "www" / "big", "wb") as big:
            big.truncate(BIG)
        self.port, self.app, self.sink = free_port(), free_port(), free_port()
        between = f"unix:{folder}/between.sock"
        for name, config in (
            ("app", files(folder, self.app)),
            ("outer", nginx(folder, "outer", passing(f"127.0.0.1:{self.port}", between))),
            ("inner", nginx(folder, "inner", passing(between, f"127.0.0.1:{self.app}"))),
        ):
            path = folder / f"{name}.conf"
            path.write_text(config)
            self.children.append(subprocess.Popen(["nginx", "-p", str(folder), "-c", str(path)], stderr=subprocess.DEVNULL))
        time.sleep(1)

    def end(self):
        for child in self.children:
            child.terminate()
            child.wait()


class App:
    """The same app in a workspace, reached through the gateway by a browser that was handed off."""

    def __init__(self, binary):
        self.site = Site(binary)
        self.site.add_admin()
        self.site.serve()
        self.client = Client(self.site.port, sign_in(self.site.port))
        group = self.client.json("POST", "/api/groups", {"name": "bench", "displayName": "Bench"})["id"]
        made = self.client.json("POST", "/api/workspaces", {"name": "app", "groupId": group, "start": True})
        self.workspace = made["id"]
        while (now := self.client.json("GET", f"/api/workspaces/{self.workspace}"))["status"] != "running":
            if now["status"] == "error":
                raise SystemExit(f"it does not run here: {now['reason']}")
            time.sleep(0.05)
        terminal = Terminal(self.site.port, self.client.token, self.workspace)
        terminal.until_prompt()
        home = "$HOME"
        config = files("HOME_IS_HERE", 9000).replace("'", "")
        self.type(terminal, f"mkdir -p www && head -c 1024 /dev/zero > www/1k && truncate -s {BIG} www/big")
        self.type(terminal, f"cat > app.conf <<'EOF'\n{config}EOF\nsed -i \"s|HOME_IS_HERE|{home}|g\" app.conf")
        self.type(terminal, f"cat > sink.py <<'EOF'\n{SINK % 9001}EOF\n(/usr/sbin/nginx -p $HOME -c $HOME/app.conf & python3 sink.py &) >log 2>&1")
        time.sleep(2)
        self.cookies = {}
        for port in (9000, 9001):
            self.hand_off(port)

    def type(self, terminal, line):
        data = (line + "\n").encode()
        mask = os.urandom(4)
        head = struct.pack(">BBH", 0x82, 0x80 | 126, len(data)) + mask
        terminal.socket.sendall(head + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))
        time.sleep(0.5)

    def host(self, port):
        return f"{port}--{self.workspace[3:]}.localhost:{self.site.port}"

    def hand_off(self, port):
        start = self.client.json("POST", f"/api/workspaces/{self.workspace}/open", {"port": port})["url"]
        nonce, location = self.visit(port, urllib.parse.urlsplit(start).path + "?to=/")
        wish = dict(pair.split("=", 1) for pair in location.split("#", 1)[1].split("&"))
        way = self.client.json("POST", f"/api/workspaces/{self.workspace}/open", {"port": port, "nonceHash": wish["nonce"]})["url"]
        parts = urllib.parse.urlsplit(way)
        self.cookies[port], _ = self.visit(port, f"{parts.path}?{parts.query}", nonce)

    def visit(self, port, path, cookie=""):
        with socket.create_connection(("127.0.0.1", self.site.port)) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nhost: {self.host(port)}\r\ncookie: {cookie}\r\nconnection: close\r\n\r\n".encode())
            answer = connection.makefile("rb").read().decode()
        cookie = re.search(r"(?im)^set-cookie: ([^;]+)", answer)
        location = re.search(r"(?im)^location: (\S+)", answer)
        if not cookie or not location:
            raise SystemExit(f"the hand-off failed: {answer}")
        return cookie.group(1), location.group(1)

    def headers(self, port):
        return {"Host": self.host(port), "Cookie": self.cookies[port]}

    def memory(self):
        """The most that the server and, apart, its agents ever held, in MB."""
        def most(pid):
            text = Path(f"/proc/{pid}/status").read_text()
            return int(re.search(r"VmHWM:\s+(\d+)", text).group(1)) / 1000
        agents = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if b"sandbox-exec" in (entry / "cmdline").read_bytes():
                    agents.append(most(entry.name))
            except (OSError, AttributeError):
                pass
        return most(self.site.child.pid), max(agents, default=0.0)


def wrk(port, headers, connections, seconds):
    command = ["wrk", "--latency", f"-c{connections}", f"-t{min(connections, 2)}", f"-d{seconds}s"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    text = subprocess.run([*command, f"http://127.0.0.1:{port}/1k"], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text:
        raise SystemExit(text)
    median = re.search(r"50%\s+([\d.]+)(us|ms|s)", text)
    scale = {"us": 1e-3, "ms": 1.0, "s": 1e3}[median.group(2)]
    return float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)), float(median.group(1)) * scale


def transfer(port, headers, path, upload=False):
    """MB/s of one large body."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        length = f"content-length: {BIG}\r\n" if upload else ""
        started = time.perf_counter()
        connection.sendall(f"{'POST' if upload else 'GET'} {path} HTTP/1.1\r\n{lines}{length}connection: close\r\n\r\n".encode())
        if upload:
            piece = bytes(1 << 20)
            for _ in range(BIG // len(piece)):
                connection.sendall(piece)
            connection.sendall(piece[: BIG % len(piece)])
        buffer, got = bytearray(1 << 20), 0
        first = connection.recv(65536)
        if b" 200 " not in first[:20]:
            raise SystemExit(first[:400].decode(errors="replace"))
        got = len(first)
        while count := connection.recv_into(buffer):
            got += count
        if not upload and got < BIG:
            raise SystemExit(f"{got} of {BIG} bytes came")
        return BIG / 1e6 / (time.perf_counter() - started)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3, help="each measurement, alternating; the best of each side counts")
    options = parser.parse_args()
    for program in ("nginx", "wrk"):
        if not shutil.which(program) and not os.path.exists(f"/usr/sbin/{program}"):
            raise SystemExit(f"{program} is missing: apt-get install nginx-light wrk")
    os.environ["PATH"] += ":/usr/sbin"
    folder = Path(tempfile.mkdtemp(prefix="codex-web-proxy-"))
    folder.chmod(0o755)
    chain = Chain(folder)
    try:
        app = App(os.path.abspath(options.binary))
        ours, plain = app.headers(9000), {"Host": "app"}
        before = app.memory()
        rates, waits, speeds = {"ours": [], "nginx": []}, {"ours": [], "nginx": [], "direct": []}, {"ours": [], "nginx": []}
        for _ in range(options.rounds):
            rates["ours"].append(wrk(app.site.port, ours, 32, options.seconds)[0])
            rates["nginx"].append(wrk(chain.port, plain, 32, options.seconds)[0])
            waits["ours"].append(wrk(app.site.port, ours, 1, 3)[1])
            waits["nginx"].append(wrk(chain.port, plain, 1, 3)[1])
            waits["direct"].append(wrk(chain.app, plain, 1, 3)[1])
            speeds["ours"].append(transfer(app.site.port, ours, "/big"))
            speeds["nginx"].append(transfer(chain.port, plain, "/big"))
        uploads = [transfer(app.site.port, app.headers(9001), "/", upload=True) for _ in range(options.rounds)]
        after = app.memory()
        rate, speed = {k: max(v) for k, v in rates.items()}, {k: max(v) for k, v in speeds.items()}
        wait = {k: min(v) for k, v in waits.items()}
        say("1 KiB, 32 connections", f"{rate['ours']:.0f}/s, two nginx {rate['nginx']:.0f}/s: {rate['ours'] / rate['nginx']:.2f}", ">= 0.80")
        say("download of 300 MB", f"{speed['ours']:.0f} MB/s, two nginx {speed['nginx']:.0f} MB/s: {speed['ours'] / speed['nginx']:.2f}", ">= 0.80")
        say("upload of 300 MB", f"{max(uploads):.0f} MB/s")
        say("1 KiB, one connection, median", f"{wait['ours']:.3f} ms, two nginx {wait['nginx']:.3f} ms, the app alone {wait['direct']:.3f} ms")
        say("added beyond two nginx", f"{wait['ours'] - wait['nginx']:+.3f} ms", "< 0.15 ms")
        say("memory of the server, of an agent", f"{before[0]:.0f} -> {after[0]:.0f} MB, {before[1]:.0f} -> {after[1]:.0f} MB at most")
        app.site.stop()
    finally:
        chain.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
