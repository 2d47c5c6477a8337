# What the stand-ins know of devices; to be sourced. A device is a folder in $ERA_WORLD/dm with the
# files `table` and `state`: active, suspended, inactive, or unknown until the first command, which
# shows what the reader is expected to have. `journal` is the script of an era device that is up: it
# is run anew from its beginning for each command, so that the device seems to be up all the time.
# shellcheck shell=bash

die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# open_device NAME: sets name, device and table.
open_device() {
  name=${1#"$ERA_WORLD/dev/mapper/"}
  device=$ERA_WORLD/dm/$name
  [ -d "$device" ] || die "Device $name not found"
  table=$(cat "$device/table")
}

# must_be STATE...: fails if the device is in none of these.
must_be() {
  local state
  state=$(cat "$device/state")
  if [ "$state" = unknown ]; then
    state=$1
    echo "$state" >"$device/state"
  fi
  [[ " $* " == *" $state "* ]] || die "$name is $state, where it should be: $*"
}

# simulate COMMAND...: on the era device. Afterwards all that can be digested is, as on a device that
# has a moment of rest.
simulate() {
  local metadata rest=()
  metadata=$(cut -d ' ' -f 4 <<<"$table")
  if [ ! -f "$device/journal" ]; then
    cp "$metadata" "$device/before"
    echo "create $table" >"$device/journal"
    echo 0 >"$device/lines"
  fi
  case ${1:-} in suspend | remove) ;; *) rest=("- settle") ;; esac
  cp "$device/journal" "$device/journal.new"
  printf '%s\n' "$@" "${rest[@]}" >>"$device/journal.new"
  cp "$device/before" "$metadata"
  "$ERA_TOOLS/era_simulate" "$device/journal.new" >"$device/output"
  mv "$device/journal.new" "$device/journal"
  tail -n "+$(($(cat "$device/lines") + 1))" "$device/output"
  wc -l <"$device/output" >"$device/lines"
}

# forget: what was up is not up any more.
forget() {
  rm -f "$device/journal" "$device/before"
}
