"""A server of its own for a check: a fresh data directory, an administrator, and a token of theirs."""
import json
import os
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

PASSWORD = "plum orbit lantern quiver"


class Server:
    """Started with `with`; stopped and removed at its end, whatever happens."""

    def __init__(self, binary, **settings):
        self.binary = binary
        self.folder = tempfile.TemporaryDirectory(prefix="codex-web-")
        home = self.folder.name
        self.data = os.path.join(home, "data")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "RUNTIME_DIRECTORY": os.path.join(home, "run"),
            "CODEX_WEB_DATA_DIR": self.data,
            "CODEX_WEB_SERVER__LISTEN": "127.0.0.1:0",
            "CODEX_WEB_LOG__FORMAT": "json",
            **{f"CODEX_WEB_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.log, self.token = [], None

    def run(self, *arguments, text=""):
        """A command of the program; its output."""
        done = subprocess.run([self.binary, *arguments], input=text, env=self.environment, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise SystemExit(f"codex-web {' '.join(arguments)} ended with {done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout

    def __enter__(self):
        self.run("user", "add", "boss", "--email", "boss@example.org", "--admin", "--password-stdin", text=PASSWORD)
        self.process = subprocess.Popen([self.binary, "serve"], env=self.environment, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, daemon=True).start()
        self.base = "http://" + self.told("serving")["listen"]
        # Workspaces can be made once the sandbox was tried.
        self.told("workspaces")
        self.token = self.call("POST", "/api/auth/login", {"username": "boss", "password": PASSWORD})[1]["accessToken"]
        return self

    def _read(self):
        for line in self.process.stderr:
            self.log.append(line)

    def told(self, message, patience=60):
        """The event of the log with this message."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            for line in list(self.log):
                event = json.loads(line)
                if event.get("message") == message:
                    return event
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise SystemExit(f"the server did not say {message!r}:\n{''.join(self.log)}")

    def call(self, method, path, body=None, base=None):
        """Status and answer, as JSON where it is that."""
        request = urllib.request.Request((base or self.base) + path, method=method)
        if self.token and base is None:
            request.add_header("authorization", f"Bearer {self.token}")
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, data, timeout=60) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            status, text = refused.code, refused.read().decode()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text

    def faults(self):
        """What the server itself calls a fault of its own."""
        return [line for line in self.log if json.loads(line).get("level") == "ERROR"]

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
        self.folder.cleanup()


def free_port():
    """A port that nobody uses at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
