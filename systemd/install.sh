#!/bin/sh
# Installs davit as a systemd service, upgrades it, and takes it away again. Running it again changes only what differs.
# It needs nothing beside it: without a davit.service next to this script, the binary itself says what the unit is.
set -eu
umask 022

usage() {
  cat <<'USAGE'
Usage: install.sh --binary FILE [--sha256 HEX | --sums FILE] [--prefix DIR] [--no-start]
       install.sh uninstall [--purge]

Installs FILE as PREFIX/bin/davit and starts it under systemd; or upgrades what is installed, while services go on.

  --binary FILE   the davit to install
  --sha256 HEX    the checksum that FILE must have
  --sums FILE     a SHA256SUMS that names FILE
  --prefix DIR    where bin/davit goes (default: where it is, or /usr/local)
  --no-start      lay out and enable everything, but start or restart nothing
  --purge         with uninstall: also stop all services, and delete /var/lib/davit and /etc/davit
USAGE
}

config=/etc/davit
state=/var/lib/davit
unit=/etc/systemd/system/davit.service

say() { printf '%s\n' "$*"; }
fail() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}

main() {
  action=install binary='' sha256='' sums='' prefix='' start=yes purge=no
  while [ $# -gt 0 ]; do
    case $1 in
      --binary | --sha256 | --sums | --prefix)
        [ $# -ge 2 ] || fail "$1 needs a value, see --help"
        case $1 in
          --binary) binary=$2 ;;
          --sha256) sha256=$2 ;;
          --sums) sums=$2 ;;
          --prefix) prefix=$2 ;;
        esac
        shift
        ;;
      --no-start) start=no ;;
      --purge) purge=yes ;;
      install | uninstall) action=$1 ;;
      -h | --help) usage && exit 0 ;;
      *) fail "$1 is not an option, see --help" ;;
    esac
    shift
  done
  check_options
  check_host
  find_place
  if [ "$action" = uninstall ]; then uninstall; else install_davit; fi
}

check_options() {
  if [ "$action" = uninstall ]; then
    [ -z "$binary$sha256$sums$prefix" ] || fail 'uninstall takes no option but --purge'
    return
  fi
  [ "$purge" = no ] || fail '--purge goes with uninstall'
  [ -n "$binary" ] || fail 'which davit? Name it: --binary ./davit'
  [ -f "$binary" ] || fail "there is no file $binary"
  [ -z "$sha256" ] || [ -z "$sums" ] || fail 'give --sha256 or --sums, not both'
  [ -z "$sums" ] || [ -f "$sums" ] || fail "there is no file $sums"
  case $prefix in
    '' | /*) ;;
    *) fail "--prefix must be an absolute path, not $prefix" ;;
  esac
  case $prefix in *[!A-Za-z0-9/._+-]*) fail '--prefix may hold only letters, digits and /._+-' ;; esac
}

check_host() {
  [ "$(uname -s)" = Linux ] || fail 'davit runs as a service under systemd, so on Linux'
  [ "$(id -u)" = 0 ] || fail 'this must run as root: sudo sh install.sh …'
  [ -d /run/systemd/system ] || fail 'this host does not run systemd; davit agent can be started by hand all the same'
}

# Where davit lies or goes: an upgrade stays where the installed unit says.
find_place() {
  if [ -z "$prefix" ] && [ -f "$unit" ]; then
    target=$(sed -n 's|^ExecStart=\(/[^ ]*\).*|\1|p' "$unit")
  fi
  target=${target:-${prefix:-/usr/local}/bin/davit}
}

# --- install and upgrade ---------------------------------------------------------------------------------------------

install_davit() {
  stage_binary
  stage_unit
  lay_out_config
  changed='' kept=''
  put_in_place "$staged" "$target"
  put_in_place "$staged_unit" "$unit"
  systemctl daemon-reload
  systemctl --quiet enable davit.service

  if [ "$start" = no ]; then
    say "davit $version is installed. It starts with the host, or now by: systemctl restart davit"
  elif [ -z "$changed" ] && runs_target; then
    say "davit $version was installed and running already."
  else
    restart
    say "davit $version runs."
  fi
  next_steps
}

# Copies the binary beside its place: what is checked and tried there is what a rename then puts in force.
stage_binary() {
  staged=$target.new staged_unit=$unit.new
  trap 'rm -f "$staged" "$staged_unit"' EXIT
  trap 'exit 1' HUP INT TERM
  # Copied and not moved, so that it gets the owner and the SELinux label of its new folder.
  { mkdir -p "${target%/*}" && cp "$binary" "$staged" && chown 0:0 "$staged" && chmod 0755 "$staged"; } ||
    fail "${target%/*} cannot be written. Another place can be chosen with --prefix"
  check_sum
  check_architecture
  version=$("$staged" --version 2>&1) || fail "$binary does not run on this host, so nothing was changed: $version"
  version=${version#davit }
}

check_sum() {
  [ -z "$sums" ] || sha256=$(sum_of "${binary##*/}")
  if [ -z "$sha256" ]; then
    say 'Note: neither --sha256 nor --sums was given, so the binary is not checked.'
    return
  fi
  actual=$(sha256sum <"$staged")
  actual=${actual%% *}
  [ "$actual" = "$(printf %s "$sha256" | tr A-F a-f)" ] ||
    fail "$binary is not what it should be, so nothing was changed: its checksum is $actual, not $sha256"
}

# The checksum that the SHA256SUMS has for a file name.
sum_of() {
  awk -v name="$1" '{ sub(/^\*/, "", $2); sub(/.*\//, "", $2); if ($2 == name) print $1 }' "$sums" |
    grep -E '^[0-9a-fA-F]{64}$' || fail "$sums has no checksum for a file named $1"
}

# The bytes 18 and 19 of an ELF file name the machine. What is no ELF file is left to the trial run.
check_architecture() {
  case $(od -An -tx1 -N20 "$staged" | tr -d ' \n') in
    7f454c46*3e00) machine=x86_64 ;;
    7f454c46*b700) machine=aarch64 ;;
    7f454c46*) machine='another kind of machine' ;;
    4d5a*) fail "$binary is a program for Windows" ;;
    *) return 0 ;;
  esac
  [ "$machine" = "$(uname -m)" ] || fail "$binary is for $machine, but this host is $(uname -m)"
}

stage_unit() {
  template=$(dirname "$0")/davit.service
  if [ -f "$template" ]; then
    cat "$template" >"$staged_unit"
  else
    "$staged" systemd >"$staged_unit" || fail "there is no davit.service beside this script, and $binary prints none"
  fi
  sed -i "s|^ExecStart=[^ ]*|ExecStart=$target|" "$staged_unit"
}

# Writes what is missing. What is there is the administrator's.
lay_out_config() {
  first_time=no
  [ -d "$config" ] || mkdir -m 0750 "$config"
  [ -e "$config/davit.env" ] || example "$config/davit.env" <<'ENV'
# The environment of davit's agent, such as DAVIT_LOG_LEVEL=debug. It wins over davit.yaml, from the next restart on.
# Services get nothing of it, but for what the setting pass_env names.
ENV
  [ -e "$config/davit.yaml" ] || first_time=yes
  [ -e "$config/davit.yaml" ] || example "$config/davit.yaml" <<'YAML'
# Settings of davit's agent, read at its start and by `systemctl reload davit`. `davit config check` proves them.
listen: 127.0.0.1:8888
YAML
}

example() {
  cat >"$1.new"
  chmod 0640 "$1.new"
  mv "$1.new" "$1"
}

# Puts $1 in the place of $2 in one step when it differs, and keeps what was there as $2.previous.
put_in_place() {
  ! cmp -s "$1" "$2" || return 0
  changed=yes
  if [ -e "$2" ]; then
    ln -f "$2" "$2.previous" 2>/dev/null || cp -p "$2" "$2.previous"
    kept="$kept $2"
  fi
  mv -f "$1" "$2"
}

# Whether the agent that runs was started from the file that is in place now, and not from one before it.
runs_target() {
  pid=$(systemctl show --property MainPID --value davit.service)
  [ "$(readlink "/proc/$pid/exe")" = "$(readlink -f "$target")" ] && systemctl --quiet is-active davit.service
}

# The unit says when it is ready and how long it may take, so systemctl waits for exactly that.
restart() {
  systemctl restart davit.service 2>/dev/null && return
  say 'davit did not become ready. Its last lines:' >&2
  journalctl --unit davit --lines 20 --no-pager --output cat >&2 || :
  [ -n "$kept" ] || fail 'davit is installed, but does not run. With its trouble mended: systemctl restart davit'
  for file in $kept; do mv -f "$file.previous" "$file"; done
  systemctl daemon-reload
  systemctl restart davit.service 2>/dev/null ||
    fail 'the previous version is back in its place, but does not become ready either: see journalctl -u davit'
  fail 'the previous version is back in its place and runs'
}

next_steps() {
  cat <<NEXT

  binary     $target
  settings   $config/davit.yaml, $config/davit.env
  state      $state
  admin key  $state/admin.key, made at the first start
  log        journalctl -u davit
NEXT
  [ "$first_time" = no ] || cat <<NEXT

A first call, as root:
  curl -H "Authorization: Bearer \$(cat $state/admin.key)" http://127.0.0.1:8888/services
NEXT
}

# --- uninstall -------------------------------------------------------------------------------------------------------

uninstall() {
  group=$(systemctl show --property ControlGroup --value davit.service)
  # Empty when systemd has forgotten the unit; and never may it be the group of the whole host.
  case $group in */davit.service) ;; *) group=/system.slice/davit.service ;; esac
  systemctl --quiet disable --now davit.service 2>/dev/null || :
  [ "$purge" = no ] || end_services
  left=$(service_pids | wc -l)
  rm -f "$unit" "$unit.previous" "$target" "$target.previous"
  systemctl daemon-reload
  systemctl reset-failed davit.service 2>/dev/null || :
  if [ "$purge" = yes ]; then
    rm -rf "$state" "$config"
    say "davit, its services, $state and $config are gone."
    return
  fi
  say "davit is uninstalled. What stays: its services ($left processes), $state and $config."
  say 'A new installation takes them up again. To end and delete all of it: install.sh uninstall --purge'
}

# What runs in the unit's control group, and in those of units that are instances of this agent (runner: systemd), in
# either of the places where hosts mount them. Other agents of the host have units in the same slice.
service_pids() {
  own=$(printf %s "$(readlink -f "$state/instances")" | sha256sum | cut -c 1-8)
  for root in /sys/fs/cgroup /sys/fs/cgroup/systemd; do
    for folder in "$root$group" "$root/davit.slice/davit-$own"-*.service; do
      [ ! -d "$folder" ] || find "$folder" -name cgroup.procs -exec cat {} + | grep -v '^0$' || :
    done
  done | sort -u
}

# SIGTERM and ten seconds, then SIGKILL.
end_services() {
  signal_services TERM
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ -n "$(service_pids)" ] || return 0
    sleep 1
  done
  signal_services KILL
}

signal_services() {
  for pid in $(service_pids); do kill -s "$1" "$pid" 2>/dev/null || :; done
}

main "$@"
