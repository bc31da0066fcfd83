#!/usr/bin/env python3
"""A real Prometheus scrapes the server, on its own port with a token and on the listener for monitors, and knows the help
and the unit of every family; it loads the shipped alert rules and answers every question of the shipped dashboard.

    tests/operate/metrics.py BINARY PROMETHEUS PROMTOOL
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from server import Server, free_port

binary, prometheus, promtool = sys.argv[1:4]
here = os.path.dirname(os.path.abspath(__file__))
monitoring = os.path.join(here, "../../packaging/monitoring")
passed, failed = 0, 0


def check(what, good, why=""):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print(f"FAILED: {what}: {why}")


def asked(base, path, **parameters):
    query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
    try:
        with urllib.request.urlopen(f"{base}{path}{query}", timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)
    except OSError:
        return {}


for command in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts.test.yaml"]):
    done = subprocess.run([promtool, *command], cwd=monitoring, capture_output=True, text=True)
    check(f"promtool {' '.join(command)}", done.returncode == 0, done.stdout + done.stderr)

with Server(binary, metrics__listen="127.0.0.1:0") as server, tempfile.TemporaryDirectory() as folder:
    listener = server.told("metrics for whoever comes")["address"]
    port = server.base.rsplit(":", 1)[1]
    # Something of everything: a group, a workspace that is refused, a backup.
    server.call("POST", "/api/groups", {"name": "watched", "displayName": "Watched"})
    server.call("POST", "/api/workspaces", {"name": "none", "groupId": "nowhere"})
    server.run("backup", "create")
    with open(os.path.join(folder, "token"), "w") as file:
        file.write(server.token)
    with open(os.path.join(folder, "prometheus.yml"), "w") as file:
        file.write(f"""
global: {{ scrape_interval: 1s, evaluation_interval: 1s }}
rule_files: ["{os.path.realpath(os.path.join(monitoring, 'alerts.yaml'))}"]
scrape_configs:
  - job_name: codex-web
    static_configs: [{{ targets: ["{listener}"] }}]
  - job_name: with-a-token
    authorization: {{ credentials_file: "{folder}/token" }}
    static_configs: [{{ targets: ["localhost:{port}"] }}]
  - job_name: without-a-token
    static_configs: [{{ targets: ["127.0.0.1:{port}"] }}]
""")
    done = subprocess.run([promtool, "check", "config", f"{folder}/prometheus.yml"], capture_output=True, text=True)
    check("promtool check config", done.returncode == 0, done.stdout + done.stderr)
    address = f"127.0.0.1:{free_port()}"
    log = open(os.path.join(folder, "log"), "w+")
    watcher = subprocess.Popen(
        [prometheus, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address={address}"],
        stdout=log, stderr=log)
    try:
        base = f"http://{address}"
        up = lambda: {sample["metric"]["job"]: sample["value"][1]
                      for sample in asked(base, "/api/v1/query", query="up").get("data", {}).get("result", [])}
        end = time.monotonic() + 60
        while time.monotonic() < end and set(up()) != {"codex-web", "with-a-token", "without-a-token"}:
            time.sleep(0.5)
        time.sleep(4)
        check("who is scraped", up() == {"codex-web": "1", "with-a-token": "1", "without-a-token": "0"}, up())
        targets = asked(base, "/api/v1/targets")["data"]["activeTargets"]
        refused = [target["lastError"] for target in targets if target["labels"]["job"] == "without-a-token"]
        check("nobody without a token", "401" in refused[0], refused)

        known = [family for family in asked(base, "/api/v1/targets/metadata", match_target='{job="codex-web"}')["data"]]
        own = [family for family in known if family["metric"].startswith(("codex_web_", "process_"))]
        check("families", len(own) > 35, f"only {len(own)}")
        check("help", not [family["metric"] for family in own if not family["help"]], own)
        states = {"codex_web_build", "codex_web_cluster_healthy", "codex_web_read_only", "codex_web_unclean_start"}
        without = {family["metric"] for family in own if not family["unit"]}
        # Units are of OpenMetrics: that they arrive shows how Prometheus read the page.
        check("units", without == states, without)
        check("types", not [family for family in own if family["type"] in ("unknown", "")], own)

        groups = asked(base, "/api/v1/rules")["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        check("rules", len(rules) >= 15, rules)
        check("rules that cannot be evaluated", not [rule for rule in rules if rule["health"] != "ok"], rules)
        firing = [rule["name"] for rule in rules if rule["state"] == "firing"]
        check("a server that is well raises no alarm", not firing, firing)

        with open(os.path.join(monitoring, "dashboard.json")) as file:
            dashboard = json.load(file)
        asks = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        check("the dashboard asks", len(asks) > 25, asks)
        silent = []
        for expression in asks:
            filled = expression.replace("$instance", ".*").replace("$__rate_interval", "1m")
            answer = asked(base, "/api/v1/query", query=filled)
            if answer.get("status") != "success":
                failed += 1
                print(f"FAILED: {filled}: {answer.get('error')}")
            # What has not happened yet has no series; all others must answer.
            elif not answer["data"]["result"] and not re.search(r'outcome="failed"|auth/login', filled):
                silent.append(filled)
        check("questions of the dashboard without an answer", not silent, silent)
        check("faults of the server", not server.faults(), server.faults())
    finally:
        watcher.terminate()
        watcher.wait(30)
        if failed:
            log.seek(0)
            print(log.read()[-2000:])

print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
