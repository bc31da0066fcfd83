#!/usr/bin/env python3
"""Schemathesis asks everything of the OpenAPI document of a running server, well and badly formed: no answer may be a fault
of the server, have another shape than the document says, or take what the document refuses.

    tests/operate/fuzz.py BINARY SCHEMATHESIS [SECONDS]

It asks as the administrator, with the limit of requests off. Left out is what never ends (event streams, sockets) and what
would end the asking itself (signing out).
"""
import os
import re
import subprocess
import sys

from server import Server

binary, schemathesis = sys.argv[1:3]
seconds = sys.argv[3] if len(sys.argv) > 3 else "180"
here = os.path.dirname(os.path.abspath(__file__))

# What never ends, or ends the asking: the administrator's own account may be what it is tried on.
LEFT_OUT = [
    "/api/events", "/api/workspaces/{workspace}/terminal", "/api/auth/logout", "/api/auth/change-password",
    "/api/auth/sessions/{session}", "/api/admin/users/{user}/sign-out", "/api/admin/users/{user}/reset-password",
    "/api/admin/users/{user}/sessions/{session}", "/api/admin/users/{user}/offboard", "/api/admin/users/{user}/disable",
]
# The check that whatever the document allows is taken holds for what stands after the question mark (fuzz_checks.py), and
# cannot hold for bodies: much of what is refused there with 400 is refused for what the document does not say. Of the
# installation: how long a password must be is a setting, and what PATCH /api/admin/settings takes is the table of settings.
# Of other fields: a user name or an e-mail, an app or a port, but not both; of several amounts at least one. Of the letters:
# names and reasons hold no control characters, and quantities, addresses and keys have grammars of their own. That what the
# document refuses is refused, and that every answer, refusals included, looks as it says, is checked for all of it.
NOT_HELD = "positive_data_acceptance"

with Server(binary, limits__rate="off", workspaces__egress="none") as server:
    command = [schemathesis, "--config-file", os.path.join(here, "schemathesis.toml"), "run", f"{server.base}/api/openapi.json",
               "--header", f"Authorization: Bearer {server.token}", "--max-time", seconds, "--seed", "1", "--continue-on-failure", "--exclude-checks", NOT_HELD]
    for path in LEFT_OUT:
        command += ["--exclude-path", path]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=server.folder.name,
                          env=os.environ | {"SCHEMATHESIS_HOOKS": os.path.join(here, "fuzz_checks.py")})
    print(done.stdout)
    faults = server.faults()
    for line in faults:
        print("the server's own word:", line.strip())
    still = server.call("GET", "/api/health")
    if still[0] != 200:
        print("the server is not well afterwards:", still)

asked = re.search(r"(\d[\d,]*) generated", done.stdout)
print(f"{'1 passed, 0' if done.returncode == 0 and not faults and still[0] == 200 else '0 passed, 1'} failed"
      f" ({asked.group(1) if asked else 'no'} requests)")
sys.exit(done.returncode != 0 or bool(faults) or still[0] != 200)
