# shellcheck shell=bash
# shellcheck disable=SC2034 # the scripts that source this use what is set here
# What the scripts of this folder share: where things are, which addresses a cluster has, and how one of its programs
# is started and stopped. Sourced, never run. README.md explains the whole.
#
# A cluster is a state directory. Its file `cluster` holds two words: the mode and the number.
#   mode    `node`: everything, in namespaces of its own (root). `control-plane`: no kubelet, so pods stay pending (any user).
#   number  0 to 15; addresses, ports and names are derived from it, so clusters do not meet.

home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
modules=$home/modules
export PATH=$PATH:/usr/sbin:/sbin

# Built once for a set of modules and kept outside of the tree; go-build is Go's own cache.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/codex-web-tests/kubernetes
programs=$cache/$(cat "$modules"/*/go.mod "$modules"/*/go.sum | sha256sum | cut -c1-16)

# What all clusters of this machine share while at least one is up: their numbers, and what the last one puts back.
registry=/run/codex-web-test-clusters
[ "$(id -u)" = 0 ] || registry=${TMPDIR:-/tmp}/codex-web-test-clusters-$(id -u)

die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# Whether a program asks for a dynamic loader; its name stands at the beginning of the file then.
is_static() { ! LC_ALL=C grep -aq ld-linux <(head -c 4096 "$1"); }

# wait_for SECONDS WHAT COMMAND...: until the command succeeds; says what was waited for when it never does.
wait_for() {
  local until=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$until" ] || die "waited too long for $what; see $dir/log"
    sleep 0.1
  done
}

# load DIR: the cluster of a state directory, as variables.
load() {
  dir=$(realpath "$1")
  [ -e "$dir/cluster" ] || die "there is no cluster in $1; make one with: $home/up $1"
  read -r mode number <"$dir/cluster"
  link=cwtest$number
  cgroup=codex-web-test-$number
  services=10.247.$((number * 16)).0/20
  first_service=10.247.$((number * 16)).1
  dns=10.247.$((number * 16)).10
  pods=10.246.$number.0/24
  outside=10.245.$number.1
  internet=203.0.113.$((number + 1))
  if [ "$mode" = node ]; then
    node=10.245.$number.2
    etcd_port=2379 peer_port=2380 api_port=6443 kwok_port=10247
  else
    node=127.0.0.1
    etcd_port=$((21000 + 10 * number)) peer_port=$((etcd_port + 1)) api_port=$((etcd_port + 2)) kwok_port=$((etcd_port + 3))
  fi
}

kubectl() { "$programs/kubectl" --kubeconfig "$dir/admin.conf" "$@"; }

# --- programs of a cluster ---------------------------------------------------------------------------------------------

# pid_of NAME [DIR]: its process as the outside sees it; fails when it does not run. A zombie does not run, and a number
# that another program has by now is not ours: all of ours have the state directory among their arguments.
pid_of() {
  local place=${2:-$dir} pid
  pid=$(cat "$place/run/$1.pid" 2>/dev/null) || return 1
  grep -q '^State:[[:space:]]*[^ZX]' "/proc/$pid/status" 2>/dev/null || return 1
  { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF "$place" || return 1
  echo "$pid"
}

# inside COMMAND...: in the namespaces of the node.
inside() { nsenter -t "$(cat "$dir/run/holder.pid")" -n -m -p -- "$@"; }

# start NAME [ARGUMENT...]: starts a program of the cluster unless it runs; arguments are added to the usual ones.
start() {
  local name=$1 line
  shift
  pid_of "$name" >/dev/null && return 0
  command_line "$name"
  line+=("$@")
  if [ "$mode" = control-plane ]; then
    setsid "${line[@]}" >>"$dir/log/$name.log" 2>&1 </dev/null 9>&- &
    echo $! >"$dir/run/$name.pid"
    return 0
  fi
  # nsenter must not stay as the parent: a frozen child would freeze it too. The shell between them ends at once, and
  # the holder, as process 1 of the node, becomes the parent; there the outside number is found by the inside one.
  local within holder pid children
  # shellcheck disable=SC2016 # the inner shell expands these
  within=$(inside bash -c 'log=$1; shift; setsid "$@" >>"$log" 2>&1 </dev/null & echo $!' - "$dir/log/$name.log" "${line[@]}" 9>&-)
  holder=$(cat "$dir/run/holder.pid")
  for _ in $(seq 100); do
    read -ra children <"/proc/$holder/task/$holder/children" || true # no newline at its end
    for pid in "${children[@]}"; do
      if [ "$(awk '/^NSpid/ { print $NF }' "/proc/$pid/status" 2>/dev/null)" = "$within" ]; then
        echo "$pid" >"$dir/run/$name.pid"
        return 0
      fi
    done
    sleep 0.02
  done
  die "$name did not start; see $dir/log/$name.log"
}

# stop NAME: at once. The API server would take a minute to end when it is asked to, with its watches open and silent.
stop() {
  local pid
  pid=$(pid_of "$1") || { rm -f "$dir/run/$1.pid"; return 0; }
  kill -KILL "$pid"
  while pid_of "$1" >/dev/null; do sleep 0.02; done
  rm -f "$dir/run/$1.pid"
}

# command_line NAME: sets `line`.
command_line() {
  local pki=$dir/pki etcd=http://127.0.0.1:$etcd_port peer=http://127.0.0.1:$peer_port bind=0.0.0.0
  [ "$mode" = node ] || bind=127.0.0.1
  case $1 in
    etcd)
      line=(etcd --data-dir "$dir/etcd" --listen-client-urls "$etcd" --advertise-client-urls "$etcd" --listen-peer-urls "$peer"
        --initial-advertise-peer-urls "$peer" --initial-cluster "default=$peer" --unsafe-no-fsync)
      ;;
    apiserver)
      line=("$programs/kube-apiserver" --etcd-servers="$etcd" --bind-address="$bind" --secure-port="$api_port" --advertise-address="$node"
        --service-cluster-ip-range="$services" --allow-privileged=true
        --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" --client-ca-file="$pki/ca.crt"
        --service-account-key-file="$pki/sa.pub" --service-account-signing-key-file="$pki/sa.key"
        --service-account-issuer=https://kubernetes.default.svc.cluster.local
        --audit-policy-file="$dir/audit.yaml" --audit-log-path="$dir/log/audit.log"
        --token-auth-file="$pki/tokens.csv" "--authorization-mode=Node,RBAC" --enable-admission-plugins=NodeRestriction
        # Without the first, exec, logs and port-forward look up the name of the node.
        --kubelet-preferred-address-types=InternalIP --kubelet-certificate-authority="$pki/ca.crt"
        --kubelet-client-certificate="$pki/kubelet-client.crt" --kubelet-client-key="$pki/kubelet-client.key"
        --requestheader-client-ca-file="$pki/ca.crt" --requestheader-allowed-names=front-proxy
        --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group
        --requestheader-extra-headers-prefix=X-Remote-Extra-
        --proxy-client-cert-file="$pki/front-proxy.crt" --proxy-client-key-file="$pki/front-proxy.key"
        --default-not-ready-toleration-seconds=10 --default-unreachable-toleration-seconds=10)
      ;;
    controller-manager)
      line=("$programs/kube-controller-manager" --kubeconfig="$dir/controller-manager.conf" --secure-port=0 --leader-elect=false
        --service-account-private-key-file="$pki/sa.key" --root-ca-file="$pki/ca.crt" --use-service-account-credentials
        --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key" --flex-volume-plugin-dir="$dir/flex"
        # A node whose kubelet is gone is noticed after seconds, not after a minute.
        --node-monitor-period=1s --node-monitor-grace-period=8s --kube-api-qps=300 --kube-api-burst=500)
      ;;
    scheduler)
      line=("$programs/kube-scheduler" --kubeconfig="$dir/scheduler.conf" --secure-port=0 --leader-elect=false
        --kube-api-qps=300 --kube-api-burst=500)
      ;;
    containerd) line=(containerd -c "$dir/containerd.toml") ;;
    kubelet)
      # The label lets tests see an instance type.
      line=("$programs/kubelet" --kubeconfig="$dir/kubelet.conf" --config="$dir/kubelet.yaml" --root-dir="$dir/kubelet"
        --cert-dir="$dir/kubelet/pki" --hostname-override=node1 --node-ip="$node"
        --node-labels=node.kubernetes.io/instance-type=test.small)
      ;;
    proxy) line=("$programs/kube-proxy" --config="$dir/proxy.yaml") ;;
    dns) line=("$programs/coredns" -conf "$dir/Corefile") ;;
    provisioner) line=("$programs/clusterd" provisioner -kubeconfig "$dir/admin.conf" -dir "$dir/volumes" -node node1) ;;
    netpol) line=("$programs/clusterd" netpol -kubeconfig "$dir/admin.conf") ;;
    metrics)
      line=("$programs/metrics-server" --kubeconfig="$dir/admin.conf" --authentication-kubeconfig="$dir/admin.conf"
        --authorization-kubeconfig="$dir/admin.conf" --secure-port=4443 --cert-dir="$pki/metrics" --metric-resolution=10s
        --kubelet-request-timeout=5s --kubelet-preferred-address-types=InternalIP --kubelet-certificate-authority="$pki/ca.crt")
      ;;
    kwok)
      line=("$programs/kwok" --config="$programs/kwok-stages.yaml" --kubeconfig="$dir/admin.conf" --manage-all-nodes=false
        --manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake --cidr=10.248.0.0/16 --node-ip="$node"
        --server-address="127.0.0.1:$kwok_port" --node-lease-duration-seconds=40)
      ;;
    *) die "no program is called $1" ;;
  esac
}
