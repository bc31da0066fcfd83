#!/usr/bin/env python3
"""Every command of the two documents that describe Codex Web, run as printed against the executable.

The documents' commands lie beside this file, in their order: lost line ends and indentation are restored and nothing
else is changed. Filled in are ids, the address and `{...}`; `$TOKEN` and the other variables are those of the shell.
What comes back is compared with the answer that the document shows, or with what its text promises.

    tests/seed_commands/run.py EXECUTABLE

Commands with kubectl need a cluster: they run when CODEX_WEB_TEST_KUBECONFIG names its file, and are listed otherwise.
tests/kubernetes/run does that with the cluster that it brings up.
With CODEX_WEB_SEEDS=DIR each command is also looked up in the documents themselves. Needs bash, curl and jq.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOCUMENTS = ("group-management", "privilege-guidelines")
PASSWORD = "plum orbit lantern quiver"
NAMESPACE = "codex-platform-engineering-team"
KUBECONFIG = os.environ.get("CODEX_WEB_TEST_KUBECONFIG", "")
# What pods of that cluster can run: a shell, and the executable for init containers.
IMAGE = os.environ.get("CODEX_WEB_TEST_KUBE_IMAGE", "registry.local/busybox:1")
AGENT_IMAGE = os.environ.get("CODEX_WEB_TEST_KUBE_AGENT_IMAGE", "registry.local/codex-web-agent:test")


class Wrong(Exception):
    """Something is not as the document says."""


def check(condition, words, shown=None):
    if not condition:
        raise Wrong(words if shown is None else f"{words}: {shown}")


class Snippet:
    """One command block: its text, and the answer that the document shows for it."""

    def __init__(self, document, name, text):
        self.document, self.name = document, name
        self.command, _, answer = text.partition("--- answer\n")
        self.answer = json.loads(answer) if answer else None
        self.kubectl = "kubectl" in self.command

    @property
    def title(self):
        return f"{self.document}: {self.name}"


def read(document):
    text = (HERE / f"{document}.txt").read_text()
    blocks = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    return {name: Snippet(document, name, rest) for name, _, rest in (block.partition("\n") for block in blocks)}


def squeezed(text):
    return re.sub(r"\s+", "", text)


def demand_verbatim(snippets):
    """Each command stands in its document, letter by letter but for blanks and line ends."""
    folder = os.environ.get("CODEX_WEB_SEEDS")
    if not folder:
        return
    for document in DOCUMENTS:
        seed = squeezed((Path(folder) / f"codex-web-{document}.txt").read_text())
        for snippet in snippets[document].values():
            check(squeezed(snippet.command) in seed, f"{snippet.title} is not what the document prints")


class Server:
    """The executable with a data directory of its own, and its first administrator."""

    def __init__(self, executable):
        self.executable = executable
        self.dir = Path(tempfile.mkdtemp(prefix="codex-web-seeds-"))
        self.dir.chmod(0o711)  # the users of the workspaces pass through it
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.dir),
            "CODEX_WEB_DATA_DIR": str(self.dir / "data"),
            "RUNTIME_DIRECTORY": str(self.dir / "run"),
        }
        if KUBECONFIG:
            self.environment |= {
                "CODEX_WEB_CLUSTER__KIND": "kubernetes",
                "CODEX_WEB_CLUSTER__KUBECONFIG": KUBECONFIG,
                "CODEX_WEB_CLUSTER__AGENT_IMAGE": AGENT_IMAGE,
            }
        self.process = None

    def __enter__(self):
        add = ["user", "add", "admin", "--email", "admin@example.com", "--admin", "--password-stdin"]
        subprocess.run([self.executable, *add], input=PASSWORD, text=True, env=self.environment, check=True, stdout=subprocess.DEVNULL)
        serve = [self.executable, "serve", "--listen", "127.0.0.1:0", "--log-format", "json"]
        self.log = open(self.dir / "log", "w+")
        self.process = subprocess.Popen(serve, stdout=subprocess.DEVNULL, stderr=self.log, env=self.environment)
        self.url = self.wait_for_url()
        return self

    def wait_for_url(self):
        for _ in range(300):
            found = re.search(r'"url":"([^"]+)"', (self.dir / "log").read_text())
            if found:
                return found[1].rstrip("/")
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise Wrong("the server did not start", (self.dir / "log").read_text())

    def __exit__(self, *_):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def call(self, method, path, body=None, token=None):
        """An ordinary request; the answer's status and JSON."""
        headers = {"content-type": "application/json"} if body is not None else {}
        if token:
            headers["authorization"] = f"Bearer {token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read().decode()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read() or b"null")


class Documents:
    """Walks through the documents in their order."""

    def __init__(self, server, snippets):
        self.server, self.snippets = server, snippets
        self.token = self.must("POST", "/api/auth/login", {"username": "admin", "password": PASSWORD})["accessToken"]
        self.admin = self.must("GET", "/api/auth/me")["user"]
        self.fill, self.variables = {}, {}
        self.passed, self.failed, self.left_out = 0, [], []

    def must(self, method, path, body=None):
        status, answer = self.server.call(method, path, body, getattr(self, "token", None))
        check(status < 300, f"{method} {path} was answered {status}", answer)
        return answer

    def filled(self, text):
        for written, real in self.fill.items():
            text = text.replace(written, real)
        return text

    def shell(self, snippet):
        """Runs a block in bash; what it printed."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.server.dir)} | self.variables
        if KUBECONFIG:
            environment["KUBECONFIG"] = KUBECONFIG
        script = self.filled(snippet.command)
        ran = subprocess.run(["bash", "-c", script], env=environment, text=True, capture_output=True, timeout=120)
        check(ran.returncode == 0, f"it ended with {ran.returncode}", ran.stdout + ran.stderr)
        return ran.stdout

    def requests(self, snippet):
        """Runs a block of request lines (`POST /api/…`); the answers."""
        lines = [line for line in self.filled(snippet.command).splitlines() if line and not line.startswith("#")]
        return [self.must(*line.split(" ", 1)) for line in lines]

    def step(self, document, name, verify):
        snippet = self.snippets[document].pop(name)
        if snippet.kubectl and not KUBECONFIG:
            self.left_out.append(snippet.title)
            return
        try:
            run = self.requests if document == "privilege-guidelines" else self.shell
            verify(run(snippet), snippet.answer)
            self.passed += 1
            print(f"ok      {snippet.title}")
        except (Wrong, KeyError, IndexError, ValueError, subprocess.TimeoutExpired) as wrong:
            self.failed.append(snippet.title)
            print(f"FAILED  {snippet.title}\n        {wrong!r}")

    # --- group management ---------------------------------------------------------------------------------------------

    def person(self, name):
        return self.must("POST", "/api/admin/users", {"email": f"{name}@example.com"})["id"]

    def members(self):
        return {member["id"]: member["role"] for member in self.must("GET", f"/api/groups/{self.group}/members")}

    def group_management(self):
        def step(name, verify):
            self.step("group-management", name, verify)

        self.fill = {"your-jwt-token": self.token, "https://your-codex.com/api": f"{self.server.url}/api"}
        step("create-group", self.created)
        self.wait_for("its namespace", lambda: self.must("GET", f"/api/groups/{self.group}")["status"] == "active")
        people = [self.person(name) for name in ("member", "first", "second", "third")]
        self.variables = {"TOKEN": self.token, "API_URL": f"{self.server.url}/api", "GROUP_ID": self.group}
        self.fill = dict(zip(("usr_123456", "usr_001", "usr_002", "usr_003"), people)) | {"grp_abc123": self.group}
        step("verify-creation", lambda out, _: check(json.loads(out)["id"] == self.group, "another group", out))
        step("verify-namespace", self.namespace_is_there)
        self.usage_as_in_the_document()
        step("view-usage", lambda out, answer: check(json.loads(out) == answer, "not the document's numbers", out))
        step("raise-quota", lambda out, _: self.has_quota(out, "30", "60Gi", "750Gi", 75))
        step("quota-by-kubectl", self.quota_comes_back)
        step("view-members", lambda out, _: check([m["id"] for m in json.loads(out)] == [self.admin["id"]], "not its creator alone", out))
        step("add-member", lambda out, _: self.is_member(people[0], "member"))
        self.must("DELETE", f"/api/groups/{self.group}/members/{people[0]}")
        step("add-member-by-user", lambda out, _: self.is_member(people[0], "member"))
        step("promote-group-admin", lambda out, _: self.is_member(people[0], "admin"))
        step("demote-group-admin", lambda out, _: self.is_member(people[0], "member"))
        step("remove-member", lambda out, _: check(out == "" and people[0] not in self.members(), "still a member", out))
        step("add-many", lambda out, _: self.added_many(out, people[1:]))
        if KUBECONFIG:
            self.wait_for("twelve pods", lambda: self.quota()["status"]["used"]["pods"] == "12")
        step("usage-by-kubectl", self.usage_in_the_cluster)
        step("near-limits", self.near_limits)
        step("group-workspaces", lambda out, _: check(len(json.loads(out)) == 12, "not the workspaces of the group", out))
        step("count-by-status", lambda out, _: check(sum(one["count"] for one in json.loads(out)) == 12, "not all counted", out))
        step("update-group", self.updated)
        self.fill |= {"{...}": '{"cpu": "30", "memory": "60Gi", "storage": "750Gi", "pods": 75}'}
        step("reapply", lambda out, _: self.has_quota(out, "30", "60Gi", "750Gi", 75))
        step("quota-state", self.quota_as_the_group_says)
        step("namespace-taken", lambda out, _: check(re.search(rf"^{NAMESPACE} +Active ", out, re.MULTILINE), "no namespace", out))
        self.refuses_what_the_document_says_it_refuses()
        step("delete-workspaces", self.deletes_one)
        self.delete_the_rest()
        step("delete-group", lambda out, _: self.deleted(out))

    def created(self, out, answer):
        made = json.loads(out)
        self.group = made["id"]
        for name, value in answer.items():
            if name not in ("id", "createdAt"):
                check(made.get(name) == value, f"{name} is not {value}", made.get(name))
        check(re.fullmatch(r"grp_[0-9a-f]{32}", made["id"]), "no id of a group", made["id"])
        check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", made["createdAt"]), "no time", made["createdAt"])

    # What kubectl says, beside what the group says.

    def wait_for(self, what, is_so):
        """A cluster does what it was told a moment later."""
        for _ in range(300):
            if is_so():
                return
            time.sleep(0.2)
        raise Wrong(f"{what}: not after a minute")

    def quota(self):
        """The quota in the cluster."""
        kubectl = ["kubectl", "--kubeconfig", KUBECONFIG, "get", "resourcequota", "group-quota", "-n", NAMESPACE, "-o", "json"]
        return json.loads(subprocess.run(kubectl, check=True, capture_output=True, text=True, timeout=60).stdout)

    def hard(self):
        return self.quota()["spec"]["hard"]

    def namespace_is_there(self, out, _):
        check(re.search(rf"^{NAMESPACE} +Active ", out, re.MULTILINE), "no namespace", out)
        check(re.search(r"^group-quota ", out, re.MULTILINE), "no quota", out)
        check("requests.cpu: 0/20" in out and "requests.memory: 0/40Gi" in out, "not the quota of the document", out)
        check("requests.storage: 0/500Gi" in out and "pods: 0/50" in out, "not the quota of the document", out)

    def quota_comes_back(self, out, _):
        """The document's command is taken; what stands in the group is what holds, so the cluster is told so again."""
        check(out == "resourcequota/group-quota configured\n", "not applied", out)
        as_raised = {"requests.cpu": "30", "limits.memory": "60Gi", "requests.storage": "750Gi", "pods": "75"}
        self.wait_for("the quota of the group", lambda: as_raised.items() <= self.hard().items() and "limits.cpu" not in self.hard())

    def usage_in_the_cluster(self, out, _):
        check(re.search(r"^Name: +group-quota$", out, re.MULTILINE), "no quota", out)
        for resource, used, hard in (("persistentvolumeclaims", "12", "75"), ("requests.storage", "350Gi", "750Gi"), ("pods", "12", "75")):
            check(re.search(rf"^{re.escape(resource)} +{used} +{hard}$", out, re.MULTILINE), f"not {used} of {hard} {resource}", out)
        names = [line.split()[0] for line in out.splitlines() if re.match(r"workspace-\S*[0-9a-f]{32}-0 ", line)]
        check(len(names) == 24, "not twelve pods and their twelve claims", out)

    def quota_as_the_group_says(self, out, _):
        self.wait_for("the quota of the group", lambda: self.hard().get("requests.cpu") == "30")
        check(re.search(r"^  kind: ResourceQuota$", out, re.MULTILINE) and "name: group-quota" in out, "no quota", out)
        check(re.search(r"^Name: +group-quota$", out, re.MULTILINE), "not described", out)

    def usage_as_in_the_document(self):
        """15 of 20 cores, 28 of 40 GiB, 350 of 500 GiB, 12 of 50: eleven small workspaces and a large one."""
        sizes = [("1", "2Gi", "29Gi")] * 11 + [("4", "6Gi", "31Gi")]
        for number, (cpu, memory, storage) in enumerate(sizes, 1):
            size = {"cpu": cpu, "memory": memory, "storage": storage}
            body = {"name": f"workspace-{number:03}", "groupId": self.group, "resources": size, "start": True}
            if KUBECONFIG:
                body["image"] = IMAGE
            self.variables["WORKSPACE_ID"] = self.must("POST", "/api/workspaces", body)["id"]

    def has_quota(self, out, cpu, memory, storage, pods):
        quota = json.loads(out)["resourceQuota"]
        check(quota == {"cpu": cpu, "memory": memory, "storage": storage, "pods": pods}, "another quota", quota)

    def is_member(self, user, role):
        check(self.members().get(user) == role, f"not {role}", self.members())

    def added_many(self, out, people):
        check([line.split("Added ")[1] for line in out.splitlines() if "Added " in line] == people, "not each was added", out)
        for user in people:
            self.is_member(user, "member")

    def near_limits(self, out, _):
        check(out == "", "half of the cores is not near the limit", out)
        self.must("PATCH", f"/api/groups/{self.group}", {"resourceQuota": {"cpu": "16"}})
        listed = self.shell(read("group-management")["near-limits"])
        check(json.loads(listed)["id"] == self.group, "15 of 16 cores is", listed)

    def updated(self, out, _):
        group = json.loads(out)
        check((group["displayName"], group["description"]) == ("Engineering Team (Updated)", "Updated description"), "other words", out)
        check(group["memberCount"] == 4, "its members are not counted again", group["memberCount"])
        check(self.audited("set_group_quota"), "the change is not in the audit log")

    def audited(self, action):
        return self.must("GET", f"/api/admin/audit-logs?action={action}")["items"]

    def refuses_what_the_document_says_it_refuses(self):
        """The texts around the commands: a group with workspaces, a taken namespace, a quota in GB, a fixed name."""
        group = f"/api/groups/{self.group}"
        again = {"name": "another", "displayName": "Another", "namespace": NAMESPACE}
        plain = {"name": "plain", "displayName": "Plain", "namespace": "my-namespace"}
        for method, path, body, wanted in (
            ("DELETE", group, None, 409),
            ("POST", "/api/groups", again, 409),
            ("POST", "/api/groups", plain, 400),
            ("PATCH", group, {"resourceQuota": {"memory": "60GB"}}, 400),
            ("PATCH", group, {"resourceQuota": {"cpu": "-1"}}, 400),
            ("PATCH", group, {"name": "other"}, 400),
            ("PATCH", group, {"namespace": "codex-platform-other"}, 400),
            ("DELETE", f"{group}/members/{self.admin['id']}", None, 409),
        ):
            status, answer = self.server.call(method, path, body, self.token)
            if status != wanted:
                self.failed.append(f"{method} {path} {body}")
                print(f"FAILED  {method} {path} {body}: {status} instead of {wanted}: {answer}")
            else:
                self.passed += 1
                print(f"ok      refused with {wanted}: {method} {body or 'a group with workspaces'}")

    def deletes_one(self, out, _):
        # Two commands: the list, and nothing after it.
        check(len(json.loads(out)) == 12, "not the list alone", out)
        self.gone(self.variables["WORKSPACE_ID"])

    def gone(self, workspace):
        path = f"/api/workspaces/{workspace}"
        self.wait_for(f"{workspace} is gone", lambda: self.server.call("GET", path, None, self.token)[0] == 404)

    def delete_the_rest(self):
        rest = [workspace["id"] for workspace in self.must("GET", f"/api/workspaces?groupId={self.group}")]
        for workspace in rest:
            self.server.call("DELETE", f"/api/admin/workspaces/{workspace}", None, self.token)
        for workspace in rest:
            self.gone(workspace)

    def deleted(self, out):
        check(out == "", "an answer with a body", out)
        self.without_group(self.group)
        again = {"name": "engineering-team", "displayName": "Engineering Team", "namespace": NAMESPACE}
        check(self.must("POST", "/api/groups", again)["memberCount"] == 1, "the namespace cannot be used again")

    def without_group(self, group):
        path = f"/api/groups/{group}"
        self.wait_for(f"{group} is gone", lambda: self.server.call("GET", path, None, self.token)[0] == 404)

    def leave_nothing(self):
        """Nothing of this run stays in a cluster."""
        groups = [group["id"] for group in self.must("GET", "/api/groups")]
        for group in groups:
            self.must("DELETE", f"/api/groups/{group}")
        for group in groups:
            self.without_group(group)

    # --- privilege guidelines -----------------------------------------------------------------------------------------

    def privilege_guidelines(self):
        def step(name, verify):
            self.step("privilege-guidelines", name, verify)

        groups = {}
        for name in ("engineering", "project-a", "project-b"):
            groups[name] = self.must("POST", "/api/groups", {"name": name, "displayName": name.title()})["id"]
        user = self.person("developer")
        for group in groups.values():
            self.must("POST", f"/api/groups/{group}/members", {"userId": user, "role": "member"})
        self.fill = {"{userId}": user, "grp_engineering": groups["engineering"]}
        self.fill |= {"grp_project_a": groups["project-a"], "grp_project_b": groups["project-b"]}

        def role(user, group):
            return {one["groupId"]: one["role"] for one in user["groupMemberships"]}.get(group)

        def inspected(answers, _):
            told = answers[0]
            check(sorted(told["groups"]) == sorted(groups.values()), "not its groups", told["groups"])
            check(role(told, groups["engineering"]) == "member" and told["isAdmin"] is False, "not its role", told)

        def promoted(answers, _):
            check(role(answers[0], groups["engineering"]) == "admin", "no group admin", answers[0])
            check(role(answers[0], groups["project-a"]) == "member", "the other groups are as they were", answers[0])

        def offboarded(answers, _):
            check(answers[-1]["status"] == "disabled" and answers[-1]["groups"] == [groups["engineering"]], "not off", answers[-1])

        step("check-role", inspected)
        step("promote-in-group", promoted)
        step("promote-to-admin", lambda answers, _: check(answers[0]["isAdmin"] is True, "no platform admin", answers[0]))
        self.must("POST", f"/api/admin/users/{user}/demote")
        self.must("POST", f"/api/admin/users/{user}/promote", {"reason": "DevOps team member"})
        step("audit-entry", lambda _, answer: self.recorded(user, answer))
        step("offboard", offboarded)

    def recorded(self, user, answer):
        entry = self.audited("promote_user_to_admin")[0]
        written = answer | {"id": entry["id"], "userId": self.admin["id"], "resource": f"user:{user}", "timestamp": entry["timestamp"]}
        for name, value in written.items():
            check(entry.get(name) == value or name == "details", f"{name} is not {value}", entry.get(name))
        check(entry["id"].startswith("audit_"), "no id of an entry", entry["id"])
        for name, value in answer["details"].items():
            check(entry["details"].get(name) == value, f"details.{name} is not {value}", entry["details"])


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for program in ("bash", "curl", "jq") + (("kubectl",) if KUBECONFIG else ()):
        if not shutil.which(program):
            sys.exit(f"{program} is missing. Install it, on Debian with: apt-get install {program}")
    snippets = {document: read(document) for document in DOCUMENTS}
    demand_verbatim(snippets)
    with Server(os.path.abspath(sys.argv[1])) as server:
        documents = Documents(server, snippets)
        documents.group_management()
        documents.privilege_guidelines()
        if KUBECONFIG:
            documents.leave_nothing()
    forgotten = [snippet.title for rest in snippets.values() for snippet in rest.values()]
    for title in forgotten:
        print(f"FAILED  {title} was not run")
    for title in documents.left_out:
        print(f"left out, no cluster here (the stage kubernetes runs it): {title}")
    bad = len(documents.failed) + len(forgotten)
    print(f"{documents.passed} passed, {bad} failed, {len(documents.left_out)} left out")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
