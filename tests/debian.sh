# shellcheck shell=bash
# Installs what a test needs and the machine lacks, where that is possible. Sourced by tests/run and by the scripts
# below tests/kubernetes.

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo "$@"; else return 1; fi
}

# debian_packages PACKAGE...: installs them; no failure where there is no Debian or no right to.
debian_packages() {
  command -v apt-get >/dev/null || return 0
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@")
  if as_root "${install[@]}"; then return 0; fi
  if as_root apt-get update; then as_root "${install[@]}" || true; fi
}

# debian PROGRAM PACKAGE...: installs the packages unless the program is there; otherwise says what to type.
debian() {
  local program=$1
  shift
  command -v "$program" >/dev/null && return 0
  debian_packages "$@"
  command -v "$program" >/dev/null && return 0
  echo "$program is missing. Install it, on Debian with: apt-get install $*" >&2
  return 1
}
