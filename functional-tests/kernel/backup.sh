# The nightly backup of a live era device, as functions for a guest's script.
#
# Wants the disks metadata and origin, and night: the function that makes a backup of the device
# `era`, as README.md shows it. Makes the device, and one above it that is written to, as a file
# system would: past the page cache of the era device, and always keeping that open. Works in a
# folder of its own, where `copy` is the copy.
# Prints facts as "NAME VALUE".
# shellcheck shell=sh disable=SC2034,SC2154,SC3043

length=131069  # sectors; the last block is a part

# Past the page cache of the origin, which does not see what is written through the era device. Not
# busybox's cmp, which takes a minute.
is_equal() {
  gnu-dd if="$origin" bs=256k iflag=direct status=none | /bin/cmp -s - copy
}

# marked_bytes MAPFILE: the bytes of the pieces that it marks with +.
marked_bytes() {
  local total=0 position size mark
  while read -r position size mark; do
    [ "$mark" != + ] || total=$((total + size))
  done <"$1"
  echo "$total"
}

# good_night NAME: must succeed.
good_night() {
  night >/tmp/night.out 2>&1 || { cat /tmp/night.out; return 1; }
  echo "$1: listed $(marked_bytes changed.map)"
  echo "$1: copied $(marked_bytes copied.map)"
  if is_equal; then echo "$1: equal 1"; else echo "$1: equal 0"; fi
}

# bad_night NAME: must fail, and leave the state.
bad_night() {
  cp state /tmp/state
  if night >/tmp/night.out 2>&1; then
    echo "$1: did not fail"
    return 1
  fi
  cmp state /tmp/state
  cp changed.map /tmp/failed.map
}

# Whether the last night has listed what the failed one before it had listed. The comments say when.
lists_the_same() {
  grep -v '^#' /tmp/failed.map >/tmp/failed
  grep -v '^#' changed.map | cmp - /tmp/failed
}

# write_blocks FIRST COUNT STEP: 3 sectors each in blocks of the era device.
write_blocks() {
  local block=$1 count=$2
  while [ "$count" -gt 0 ]; do
    write_direct above $((block * 128 + 7)) 3
    block=$((block + $3)) count=$((count - 1))
  done
}

# Writes everywhere, each time something else, until stop_writing. /tmp/written counts.
start_writing() {
  rm -f /tmp/stop
  echo 0 >/tmp/written
  write_on &
  writer=$!
}
write_on() {
  local number=0
  source=/tmp/writer
  while ! [ -e /tmp/stop ]; do
    number=$((number + 1))
    yes "write $number" | head -c 12288 >/tmp/writer
    write_direct above $((number * 50021 % (length - 24))) 24
    echo "$number" >/tmp/written.new
    mv /tmp/written.new /tmp/written
  done
}
stop_writing() {
  touch /tmp/stop
  wait "$writer"
}

# await_writes COUNT: so many more.
await_writes() {
  local until
  until=$(($(cat /tmp/written) + $1))
  while [ "$(cat /tmp/written)" -lt "$until" ]; do usleep 20000; done
}

# make_devices ORIGIN
make_devices() {
  era_create era "$metadata" "$1" "$length" 128
  dm_create above "0 $length linear /dev/mapper/era 0"
}
remove_devices() {
  dm_remove above
  era_remove era
}

mkdir /tmp/backup
cd /tmp/backup || exit
