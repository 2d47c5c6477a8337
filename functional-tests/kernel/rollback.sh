# The use case of the era target, whole, as a guest's script: a cache stays right across a rollback
# of the origin by its vendor, since only what was written since the snapshot is thrown out of it.
#
# Wants: mode (writeback or writethrough), era_block, cache_block and length (all in sectors), and
# the disks era_metadata, origin, cache_metadata, cache_data, snapshot, result; for the control
# copy_of_era_metadata, copy_of_origin, copy_of_cache_metadata, copy_of_cache_data, control_result.
# The origin holds data, the others zeros. Afterwards `result` is what one reads through the cache,
# and `control_result` what one would read without the invalidation.
# Prints facts as "NAME VALUE", and the list of changed blocks after "changed:".
# shellcheck shell=sh disable=SC2154,SC3043

# cache_table METADATA DATA ORIGIN MODE POLICY
cache_table() { echo "0 $length cache $1 $2 $3 $cache_block 1 $4 $5 0"; }

own_cache_table() { cache_table "$cache_metadata" "$cache_data" /dev/mapper/era "$1" "$2"; }

# Another mode or policy for the cache. Without the threshold, writing back takes many seconds.
cache_reload() {
  dm suspend cache && dm load cache --table "$(own_cache_table "$1" "$2")" && dm resume cache
  dm message cache 0 migration_threshold 2048000
}

# The 14th word counts the dirty blocks.
cache_status_word() { dm status cache | cut -d ' ' -f "$1"; }

wait_until_clean() {
  while [ "$(cache_status_word 14)" -ne 0 ]; do usleep 50000; done
}

# Brings all that is only in the cache to the origin.
clean_cache() {
  [ "$mode" = writeback ] || return 0
  cache_reload writeback cleaner
  wait_until_clean
  cache_reload writeback smq
}

# read_over FIRST_BLOCK COUNT: blocks of the cache.
read_over() {
  gnu-dd if=/dev/mapper/cache of=/dev/null bs=$((cache_block * 512)) skip="$1" count="$2" \
    iflag=direct status=none
}

# warm_up FIRST_BLOCK COUNT PASSES: the policy takes in what is read again and again, after a while,
# if it finds room. The 13th word counts what it took in.
warm_up() {
  local before passes=0
  before=$(cache_status_word 13)
  while [ "$(cache_status_word 13)" -lt $((before + 8)) ] && [ "$passes" -lt "$3" ]; do
    read_over "$1" "$2"
    passes=$((passes + 1))
  done
}

# Whole blocks of the cache, one here and one there, and parts of others that are cached already.
write_here_and_there() {
  local block=$1
  while [ "$block" -lt "$2" ]; do
    write_direct cache $((block * cache_block)) "$cache_block"
    write_direct cache $(((block + 1) * cache_block + 3)) 5
    block=$((block + $3))
  done
}

# Blocks of the cache that hold anything of the changed blocks of era.
changed_cache_blocks() {
  awk -F '"' -v era="$era_block" -v cache="$cache_block" -v sectors="$length" '
    function mark(begin, end,  first, last) {
      first = int(begin * era / cache)
      last = end * era < sectors ? end * era - 1 : sectors - 1
      for (last = int(last / cache); first <= last; ++first) changed[first] = 1
    }
    /<block / { mark($2, $2 + 1) }
    /<range / { mark($2, $4) }
    /<mapping / { if ($4 in changed) print $2 }' /tmp/changed.xml /tmp/cache.xml
}

echo "-- the cache in use, with old data in it"
era_create era "$era_metadata" "$origin" "$length" "$era_block"
dm_create cache "$(own_cache_table "$mode" smq)"
dm message cache 0 migration_threshold 2048000
fill_with "written before the snapshot"
write_here_and_there 2 40 4
warm_up 0 24 500
warm_up 40 24 500

echo "-- the vendor's snapshot, and the era that it begins"
clean_cache
era_message era checkpoint
since=$(dm status era | cut -d ' ' -f 6)
dm suspend cache
copy_disk "$origin" "$snapshot"
dm resume cache

echo "-- more writes: some to what is cached, some elsewhere"
fill_with "written after the snapshot"
write_here_and_there 5 100 7
write_direct cache $((length - 5)) 5
warm_up 12 16 30

echo "-- the rollback, beneath a cache that passes through"
clean_cache
dm_remove cache
cache_dump "$cache_metadata" >/tmp/cache.xml
copy_disk "$cache_metadata" "$copy_of_cache_metadata"
copy_disk "$cache_data" "$copy_of_cache_data"
dm_create cache "$(own_cache_table passthrough smq)"
copy_disk "$snapshot" "$origin"

echo "-- the changed blocks go out of the cache"
refused era_invalidate --written-since "$since" "$era_metadata"
era_message era take_metadata_snap
era_invalidate --metadata-snapshot --written-since "$since" "$era_metadata" >/tmp/changed.xml
era_message era drop_metadata_snap
changed_cache_blocks >/tmp/cblocks
# shellcheck disable=SC2046  # one argument a block
[ ! -s /tmp/cblocks ] || dm message cache 0 invalidate_cblocks $(cat /tmp/cblocks)
cache_reload "$mode" smq
copy_disk /dev/mapper/cache "$result"

echo "-- the control: the same without that"
era_suspend era
copy_disk "$era_metadata" "$copy_of_era_metadata"
era_resume era
copy_disk "$snapshot" "$copy_of_origin"
era_create era2 "$copy_of_era_metadata" "$copy_of_origin" "$length" "$era_block"
dm_create cache2 "$(cache_table "$copy_of_cache_metadata" "$copy_of_cache_data" \
  /dev/mapper/era2 "$mode" smq)"
copy_disk /dev/mapper/cache2 "$control_result"

for device in cache2 era2 cache era; do
  dm_remove "$device"
done
echo "since $since"
echo "cached $(grep -c '<mapping ' /tmp/cache.xml)"
echo "invalidated $(wc -l </tmp/cblocks)"
echo "changed:"
cat /tmp/changed.xml
