"""Whether the files that operators copy agree with themselves and with the product: Kubernetes manifests, units, HAProxy's and Patroni's configuration."""
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile

from settings import ROOT

FOLDER = os.path.join(ROOT, "cluster")


def options_of_product():
    """The names of all options, from OPTIONS.md, which a test of the server keeps current."""
    with open(os.path.join(ROOT, "src", "PacsCluster.Server", "OPTIONS.md")) as file:
        return {re.sub(r"<n>|<name>", "*", name) for name in re.findall(r"^\| `([^`]+)` \|", file.read(), re.M)}


def option_names(value, prefix=""):
    """The options that a pacscluster.json sets, lists as `*`."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from option_names(inner, prefix + (":" if prefix else "") + key)
    elif isinstance(value, list):
        for inner in value:
            yield from option_names(inner, prefix + ":*")
    else:
        yield prefix


def unknown_options(text, where):
    # A name that the operator chooses, of a store or an AE title, stands for any.
    known = [re.compile(re.escape(name).replace(r"\*", "[^:]+") + "$") for name in options_of_product()]
    return ["%s: there is no option %s" % (where, name) for name in sorted(set(option_names(json.loads(text)))) if not any(one.match(name) for one in known)]


def kubernetes():
    import yaml
    wrong = []
    path = os.path.join(FOLDER, "kubernetes", "pacscluster.yaml")
    with open(path) as file:
        objects = [o for o in yaml.safe_load_all(file) if o]
    by_kind = {}
    for one in objects:
        by_kind.setdefault(one["kind"], {})[one["metadata"]["name"]] = one
        if not one.get("apiVersion"):
            wrong.append("%s %s has no apiVersion" % (one["kind"], one["metadata"]["name"]))
        if one["kind"] != "Namespace" and one["metadata"].get("namespace") not in by_kind.get("Namespace", {}):
            wrong.append("%s %s is in no namespace that is made before it" % (one["kind"], one["metadata"]["name"]))
    for stateful in by_kind["StatefulSet"].values():
        wrong += stateful_set(stateful, by_kind)
    labels = [s["spec"]["template"]["metadata"]["labels"] for s in by_kind["StatefulSet"].values()]
    ports = {p["name"] for s in by_kind["StatefulSet"].values() for c in s["spec"]["template"]["spec"]["containers"] for p in c["ports"]}
    for service in by_kind["Service"].values():
        name = "Service " + service["metadata"]["name"]
        if service["spec"]["selector"] not in labels:
            wrong.append(name + " selects no pod")
        wrong += ["%s: no container has a port %s" % (name, p["targetPort"]) for p in service["spec"]["ports"] if p["targetPort"] not in ports]
    for kind, key in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        wrong += ["%s %s selects no pod" % (kind, name) for name, o in by_kind[kind].items() if o["spec"][key]["matchLabels"] not in labels]
    for policy in by_kind["NetworkPolicy"].values():
        wrong += ["NetworkPolicy opens no port %s of a container" % p["port"] for rule in policy["spec"]["ingress"] for p in rule["ports"] if p["port"] not in ports]
    options = by_kind["ConfigMap"]["pacscluster"]["data"]["pacscluster.json"]
    wrong += unknown_options(options, "ConfigMap pacscluster")
    containers = {p["name"]: p["containerPort"] for s in by_kind["StatefulSet"].values() for p in s["spec"]["template"]["spec"]["containers"][0]["ports"]}
    read = json.loads(options)
    if containers != {"dicom": read["Dimse"]["Port"], "http": read["Http"]["Port"]}:
        wrong.append("the containers' ports %s are not those of pacscluster.json" % containers)
    return wrong


def stateful_set(stateful, by_kind):
    wrong = []
    spec = stateful["spec"]
    pod = spec["template"]["spec"]
    if spec["selector"]["matchLabels"] != spec["template"]["metadata"]["labels"]:
        wrong.append("the StatefulSet does not select its own pods")
    if spec["serviceName"] not in by_kind["Service"]:
        wrong.append("the StatefulSet's service %s is not there" % spec["serviceName"])
    volumes = {v["name"]: v for v in pod["volumes"]}
    for volume in volumes.values():
        claim, config = volume.get("persistentVolumeClaim"), volume.get("configMap")
        if claim and claim["claimName"] not in by_kind["PersistentVolumeClaim"]:
            wrong.append("there is no claim " + claim["claimName"])
        if config and config["name"] not in by_kind["ConfigMap"]:
            wrong.append("there is no ConfigMap " + config["name"])
    known = {name.upper().replace(":", "__") for name in options_of_product()}
    for container in pod["containers"]:
        ports = {p["name"] for p in container["ports"]}
        mounted = {m["name"] for m in container["volumeMounts"]}
        if mounted != set(volumes):
            wrong.append("volumes and mounts differ: %s" % sorted(mounted ^ set(volumes)))
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            get = container[probe]["httpGet"]
            if get["port"] not in ports or get["path"] not in ("/health/live", "/health/ready"):
                wrong.append("%s asks %s on port %s, which nobody answers" % (probe, get["path"], get["port"]))
        for variable in container["env"]:
            if variable["name"].removeprefix("PACSCLUSTER__") not in known:
                wrong.append("no option has the environment variable " + variable["name"])
            secret = variable["valueFrom"].get("secretKeyRef")
            if secret and secret["key"] not in by_kind["Secret"].get(secret["name"], {}).get("stringData", {}):
                wrong.append("secret %s has no %s" % (secret["name"], secret["key"]))
    return wrong


def json_of_documents():
    """Every pacscluster.json that a document here shows names options that there are."""
    wrong = []
    for path in sorted(glob.glob(os.path.join(FOLDER, "*.md"))):
        with open(path) as file:
            for text in re.findall(r"^```json\n(.*?)^```", file.read(), re.M | re.S):
                wrong += unknown_options(text, os.path.basename(path))
    return wrong


def balancer():
    """HAProxy itself reads the sample."""
    done = subprocess.run(["haproxy", "-c", "-f", os.path.join(FOLDER, "systemd", "haproxy.cfg")],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return [] if done.returncode == 0 else [(done.stdout + done.stderr).strip()]


def patroni():
    """Members' configuration is YAML, and its times fit each other (Patroni's rule: loop_wait + 2 × retry_timeout ≤ ttl)."""
    import yaml
    with open(os.path.join(FOLDER, "systemd", "patroni.yml")) as file:
        read = yaml.safe_load(file)
    dcs = read["bootstrap"]["dcs"]
    wrong = [] if dcs["loop_wait"] + 2 * dcs["retry_timeout"] <= dcs["ttl"] else ["loop_wait + 2 × retry_timeout is more than ttl"]
    if dcs["synchronous_mode"] is not True:
        wrong.append("synchronous_mode is off: a primary's death may lose what was acknowledged")
    return wrong


def units():
    """systemd itself reads the units, with a program that is there in the place of the server."""
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(glob.glob(os.path.join(FOLDER, "systemd", "*.service"))):
            with open(path) as file:
                text = file.read()
            if "ExecStart=/opt/pacscluster/PacsCluster.Server serve " not in text:
                wrong.append("%s does not start the server" % os.path.basename(path))
            copy = os.path.join(folder, os.path.basename(path))
            with open(copy, "w") as file:
                file.write(text.replace("/opt/pacscluster/PacsCluster.Server", "/bin/true"))
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, stdin=subprocess.DEVNULL)
            wrong += [line for line in done.stderr.splitlines() if os.path.basename(path) in line]
    return wrong


CHECKS = {"the Kubernetes manifests agree with themselves and with the options": (kubernetes, "yaml"),
          "the options shown in documents exist": (json_of_documents, None),
          "HAProxy takes the sample configuration": (balancer, "haproxy"),
          "Patroni's sample has times that fit and synchronous mode": (patroni, "yaml"),
          "systemd takes the units": (units, "systemd-analyze")}


def lacking(need):
    if need == "yaml":
        try:
            import yaml  # noqa: F401
        except ImportError:
            return "python3-yaml"
    elif need and not shutil.which(need):
        return need
    return ""


def run():
    """Passed, failed, skipped."""
    counts = [0, 0, 0]
    for name, (check, need) in CHECKS.items():
        package = lacking(need)
        if package and os.environ.get("CI") != "true":
            counts[2] += 1
            print("  skipped: %s: missing %s" % (name, package))
            continue
        try:
            wrong = check()
        except (ImportError, KeyError, ValueError, OSError) as problem:
            wrong = [repr(problem)]
        counts[1 if wrong else 0] += 1
        for text in wrong:
            print("  failed: %s: %s" % (name, text))
    return counts
