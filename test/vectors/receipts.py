"""
Makes receipts.json beside it: what was asked, its digest, a statement, its receipt, a list of agents' keys through a turn of the signing key.
Knows nothing of the project but what docs/receipts.md says: Python's own library, and openssl for signatures.
Run it only to look at how the vectors came about: they are never edited, another form is another version with vectors of its own.
"""
import base64
import hashlib
import json
import pathlib
import subprocess
import tempfile

# Secrets of RFC 8032, 7.1: test 1 is the agent, tests 2 and 3 the signing keys, the older one first.
SECRETS = {
    "agent": "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "previous": "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    "present": "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
}


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def url64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def std64(data):
    return base64.b64encode(data).decode()


class Key:
    def __init__(self, folder, name):
        self.path = pathlib.Path(folder, name)
        der = bytes.fromhex("302e020100300506032b657004220420" + SECRETS[name])
        self.path.write_text(f"-----BEGIN PRIVATE KEY-----\n{std64(der)}\n-----END PRIVATE KEY-----\n")
        self.der = subprocess.check_output(["openssl", "pkey", "-in", self.path, "-pubout", "-outform", "DER"])
        self.named = {"keyid": digest(self.der), "publicKey": std64(self.der)}

    def sign(self, payload_type, payload):
        text = self.path.with_suffix(".signed")
        text.write_bytes(b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(payload), payload))
        return subprocess.check_output(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.path, "-in", text])


def make(agent, previous, present):
    request = {
        "environment": {"setup": "apt-get install -y gcc", "variables": {"LEVEL": "2", "WORD": "für alle"}},
        "files": [
            {"path": "main.c", "content": "int main() { return 0; } /* \u2028 \U0001f642 \u007f */\n"},
            {"path": "bin/data", "content": "AAECAwQF/v8=", "encoding": "base64", "executable": True},
        ],
        "compile": {"script": "gcc -O$LEVEL main.c -o main", "variables": {"LEVEL": "3"}},
        "run": {"script": "./main\t\"$@\"\n", "arguments": ["one", "", "\u0001"], "stdin": "line\n", "limits": {"cpuTimeMs": 2000}},
    }
    of_environment = request["environment"]["variables"]
    asked = {
        "version": 1,
        "files": [
            {"path": "main.c", "content": digest(request["files"][0]["content"].encode()), "executable": False},
            {"path": "bin/data", "content": digest(base64.b64decode("AAECAwQF/v8=")), "executable": True},
        ],
        "compile": {"script": request["compile"]["script"], "variables": {**of_environment, "LEVEL": "3"}},
        "run": {
            "script": request["run"]["script"],
            "arguments": request["run"]["arguments"],
            "stdin": digest(b"line\n"),
            "variables": of_environment,
        },
    }
    limits = {
        "cpuTimeMs": 2000, "wallTimeMs": 20000, "idleTimeMs": 20000, "memoryBytes": 536870912, "processes": 128,
        "outputBytes": 1048576, "fileSizeBytes": 268435456, "openFiles": 1024, "stackBytes": 67108864,
        "diskBytes": 268435456, "diskInodes": 20000,
    }
    usage = {
        "cpuTimeMs": 1.5, "cpuUserMs": 1, "cpuSystemMs": 0.5, "wallTimeMs": 2.25, "memoryPeakBytes": 4096,
        "processesPeak": 1, "outputBytes": 6, "diskBytes": 0, "voluntarySwitches": 1, "involuntarySwitches": 0,
        "throttledMs": 0, "oomKills": 0,
    }
    ended = {"exitCode": 0, "signal": None, "exceeded": None, "start": None}
    times = {"startedAt": "2026-01-01T00:00:00.000Z", "endedAt": "2026-01-01T00:00:00.010Z", "slot": 0}
    told = {"verdict": "ok", **ended, "usage": usage, "stdoutTruncated": False, "stderrTruncated": False, **times}

    def script(stdout, stderr, within):
        return {**told, "limits": within, "stdout": digest(stdout), "stderr": digest(stderr)}

    def report(stdout, stderr):
        return {**told, **stdout, **stderr}

    layers = [digest(b"base"), digest(b"setup")]
    statement = {
        "version": 1, "execution": "exec_0123456789abcdef", "tenant": "local", "lease": "lease_0123456789abcdef",
        "fence": 1767225600001, "agent": "agent_0123456789abcdef",
        "acceptedAt": "2025-12-31T23:59:59.990Z", "completedAt": "2026-01-01T00:00:00.020Z",
        "request": digest(canonical(asked)), "layers": layers, "verdict": "ok", "endedIn": "run",
        "compile": script(b"", b"warning: \xc3\xbc\n", {**limits, "cpuTimeMs": 60000}),
        "run": script(b"\xff\xfe\n", b"", limits), "failure": None,
    }
    payload = json.dumps(statement, separators=(",", ":"), ensure_ascii=False).encode()
    receipt = url64(payload) + "." + url64(agent.sign("application/vnd.envicutor.receipt+json", payload))
    utf8 = lambda name, text: {name: text, f"{name}Encoding": "utf8"}
    answer = {
        "id": statement["execution"], "stage": "finished", "verdict": "ok", "endedIn": "run",
        "environment": {"id": "env_01234567", "scope": "tenant", "layers": [
            {"kind": kind, "digest": layer, "bytes": 1, "origin": "local"} for kind, layer in zip(["base", "setup"], layers)
        ]},
        "compile": report(utf8("stdout", ""), utf8("stderr", "warning: ü\n")),
        "run": report({"stdout": "//4K", "stdoutEncoding": "base64"}, utf8("stderr", "")),
        "receipt": receipt, "agent": {"id": statement["agent"], "name": "one", "pool": "default"}, "failure": None,
    }
    keys = {
        "version": 2, "issuedAt": "2026-01-02T00:00:00.000Z", "keys": [present.named, previous.named],
        "agents": [{
            "agentId": statement["agent"], "name": "one", "pool": "default",
            "publicKey": agent.named["publicKey"], "enrolledAt": "2025-12-01T00:00:00.000Z",
        }],
    }
    list_type = "application/vnd.envicutor.agent-keys+json"
    list_payload = canonical(keys)
    return {
        "about": "A request, the text and digest of what was asked, a statement, its receipt, the answer that carries it, and a signed list of "
                 "agents' keys during a turn of the signing key. Made by receipts.py, apart from the project; never edited.",
        "request": request,
        "askedText": canonical(asked).decode(),
        "statement": statement,
        "answer": answer,
        "agentKeys": {
            "payloadType": list_type, "payload": std64(list_payload),
            "signatures": [{"keyid": key.named["keyid"], "sig": std64(key.sign(list_type, list_payload))} for key in (present, previous)],
        },
        "signingKeyIds": {"present": present.named["keyid"], "previous": previous.named["keyid"]},
    }


with tempfile.TemporaryDirectory() as folder:
    vectors = make(*(Key(folder, name) for name in ("agent", "previous", "present")))
target = pathlib.Path(__file__).with_suffix(".json")
target.write_text(json.dumps(vectors, indent=2, ensure_ascii=False) + "\n")
