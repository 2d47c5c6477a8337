# Functions for the scripts that a guest runs, read before them; the modules are loaded by then.
# NAME is a device of the device mapper, SECTOR and SECTORS are counted in 512 bytes. Whatever fails
# ends the script (set -e), unless it is called through `refused`: that turns set -e off within, so
# functions that may be refused chain their commands.
# shellcheck shell=sh disable=SC3043  # busybox has local

dm() { dmsetup --noudevsync "$@"; }

# dm_create NAME TABLE: there is no udev that would make the node.
dm_create() {
  dm create "$1" --table "$2" && dm mknodes "$1"
}

# dm_reload NAME TABLE: another table, that is loaded while nothing runs.
dm_reload() {
  dm suspend "$1" && dm load "$1" --table "$2" && dm resume "$1"
}

# dm_remove NAME
dm_remove() {
  dm remove "$1" && rm -f "/dev/mapper/$1"
}

# dm_status_word NAME NUMBER: one word of the status line, counted from 1.
dm_status_word() { dm status "$1" | cut -d ' ' -f "$2"; }

# era_create NAME METADATA ORIGIN LENGTH BLOCK_SIZE
era_create() { dm_create "$1" "0 $4 era $2 $3 $5"; }

# era_reload NAME METADATA ORIGIN LENGTH BLOCK_SIZE: resizes if LENGTH is another. With a table that
# is loaded before the suspension, marks made meanwhile would be lost.
era_reload() { dm_reload "$1" "0 $4 era $2 $3 $5"; }

era_suspend() { dm suspend "$1"; }
era_resume() { dm resume "$1"; }
era_remove() { dm_remove "$1"; }

# dm_message NAME MESSAGE...: by dmsetup, which says less than era_message does.
dm_message() {
  local name=$1
  shift
  dm message "$name" 0 "$@"
}

# The current era, and the block of the metadata snapshot that is held, or "-".
era_now() { dm_status_word "$1" 6; }
era_held() { dm_status_word "$1" 7; }

# Prints "NAME: " and the status line as it is.
era_status() {
  local line
  line=$(dm status "$1")
  echo "$1: $line"
}

# Waits until digestion has come to rest: the count of used metadata blocks, the fifth word of the
# status, stays the same.
era_settle() {
  local name=$1 last='' same=0
  while [ "$same" -lt 6 ]; do
    # shellcheck disable=SC2046  # the words of the status
    set -- $(dm status "$name")
    if [ "${5:-}" = "$last" ]; then same=$((same + 1)); else same=0; fi
    last=${5:-}
    usleep 25000
  done
}

# cache_table METADATA DATA ORIGIN LENGTH BLOCK_SIZE MODE POLICY
cache_table() { echo "0 $4 cache $1 $2 $3 $5 1 $6 $7 0"; }

# How many blocks a cache holds.
cache_used() { dm_status_word "$1" 7 | cut -d / -f 1; }

# refused COMMAND...: succeeds if the command fails.
refused() {
  if "$@" 2>/dev/null; then
    echo "not refused: $*"
    return 1
  fi
}

# What the functions below write, from its begin: at least 1 MiB.
source=/dev/zero

# fill_with TEXT: what is written from now on.
fill_with() {
  yes "$1" | head -c 1048576 >/tmp/fill
  source=/tmp/fill
}

# Writes with the given flags of dd. In whole requests, each by itself: dd would write the rest of a
# larger one through the page cache.
write_flagged() {
  local name=$1 sector=$2 left=$3 flags=$4 size
  while [ "$left" -gt 0 ]; do
    size=$((left < 2048 ? left : 2048))
    gnu-dd if="$source" of="/dev/mapper/$name" bs=$((size * 512)) count=1 seek=$((sector * 512)) \
      oflag="$flags,seek_bytes" conv=notrunc status=none || return 1
    sector=$((sector + size)) left=$((left - size))
  done
}

# write_direct, write_sync, write_zeroes, discard, read_direct NAME SECTOR SECTORS
write_direct() { write_flagged "$1" "$2" "$3" direct; }
write_sync() { write_flagged "$1" "$2" "$3" direct,sync; }
write_zeroes() { full-blkdiscard -z -o $(($2 * 512)) -l $(($3 * 512)) "/dev/mapper/$1"; }
discard() { full-blkdiscard -o $(($2 * 512)) -l $(($3 * 512)) "/dev/mapper/$1"; }
read_direct() {
  gnu-dd if="/dev/mapper/$1" of=/dev/null bs=$(($3 * 512)) count=1 skip=$(($2 * 512)) \
    iflag=direct,skip_bytes status=none
}

# write_buffered NAME SECTOR SECTORS: through the page cache, and out of it.
write_buffered() {
  gnu-dd if="$source" of="/dev/mapper/$1" bs=$(($3 * 512)) count=1 seek=$(($2 * 512)) \
    oflag=seek_bytes conv=notrunc,fsync status=none
}

# flush NAME: a flush without data.
flush() { gnu-dd if=/dev/null of="/dev/mapper/$1" conv=notrunc,fsync status=none; }

# copy_disk FROM TO: the whole of it, past the page cache but for an end that is not a whole block.
copy_disk() { gnu-dd if="$1" of="$2" bs=256k iflag=direct oflag=direct conv=fsync status=none; }
