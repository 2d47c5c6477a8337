# Copies of a live era device, as functions for a guest's script. Wants the disks metadata, origin
# and target, and the length of the origin in sectors. Prints facts as "NAME VALUE".
# shellcheck shell=sh disable=SC2034,SC2154,SC3043

# Past the page cache of the origin, which does not see what is written through the era device. Not
# busybox's cmp, which takes a minute. is_equal FILE
is_equal() {
  gnu-dd if="$origin" bs=256k iflag=direct status=none | /bin/cmp -s - "$1"
}

is_suspended() { [ "$(dm info -c --noheadings -o suspended era)" = Suspended ]; }

# Processes of era_copy and its guardians.
copiers() {
  ps -o pid,args | grep -E ' (\{era_guardian\} )?era_copy ' | grep -v grep || true
}

# back_in_time: the device goes on within ten seconds, no process is left and no snapshot is held.
back_in_time() {
  local tries=0
  while is_suspended || [ -n "$(copiers)" ] || [ "$(era_held era)" != - ]; do
    tries=$((tries + 1))
    if [ "$tries" -ge 200 ]; then
      echo "not back: $(dm info -c --noheadings -o suspended era)"
      copiers
      return 1
    fi
    usleep 50000
  done
}

# refused_aloud COMMAND...: succeeds if the command fails, and prints what that says.
refused_aloud() {
  if "$@" 2>&1; then
    echo "not refused: $*"
    return 1
  fi
}

# in_progress FILE: 1 if a state file says so, 0 if not, or if there is none.
in_progress() {
  if [ -e "$1" ] && grep -q '"in_progress": true' "$1"; then echo 1; else echo 0; fi
}

# ---- files that say themselves whether they are whole ----

# make_file FOLDER NAME NUMBER: has its checksum in its name, and appears at once, complete.
make_file() {
  local sum
  yes "file $2 $3" | head -c $((4096 + $3 * 7919 % 90000)) >"$1/.$2"
  sum=$(md5sum <"$1/.$2" | cut -c 1-32)
  mv "$1/.$2" "$1/$2-$3-$sum"
  echo "$2-$3-$sum" >>/tmp/made
}

# write_files FOLDER NAME: until /tmp/stop is there; after every third all is put on the disk.
write_files() {
  local number=0
  while ! [ -e /tmp/stop ]; do
    number=$((number + 1))
    make_file "$1" "$2" "$number"
    [ $((number % 3)) -ne 0 ] || sync
  done
}

# wrong_files FOLDER: the names of those whose contents are not what their names say.
wrong_files() {
  local file sum
  for file in "$1"/*-*; do
    sum=$(md5sum <"$file" | cut -c 1-32)
    [ "${file##*-}" = "$sum" ] || echo "$file"
  done
}

# note_what_was_made: when the device is suspended for the first time, keeps what was made by then.
note_what_was_made() {
  while ! is_suspended; do
    [ ! -e /tmp/copied ] || return 0
    usleep 1000
  done
  cp /tmp/made /tmp/made.then
}
