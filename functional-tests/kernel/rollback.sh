# The use case of the era target, whole, as a guest's script: a cache stays right across a rollback
# of the origin by its vendor, since only what was written since the snapshot is thrown out of it.
# It is done as the page era_cache_invalidate(8) shows it.
#
# Wants: mode (writeback or writethrough), era_block, cache_block and length (all in sectors), way
# (how the blocks are thrown out, see throw_out_...), and the disks era_metadata, origin,
# cache_metadata, cache_data, snapshot, result; for the control copy_of_era_metadata,
# copy_of_origin, copy_of_cache_metadata, copy_of_cache_data, control_result.
# The origin holds data, the others zeros. Afterwards `result` is what one reads through the cache,
# and `control_result` what one would read without the invalidation.
# Prints facts as "NAME VALUE", and the list of changed blocks after "changed:".
# shellcheck shell=sh disable=SC2154,SC3043

own_table() {
  cache_table "$cache_metadata" "$cache_data" /dev/mapper/era "$length" "$cache_block" "$1" "$2"
}

# Another mode or policy for the cache. Without the threshold, writing back takes many seconds.
cache_switch() {
  dm_reload cache "$(own_table "$1" "$2")"
  dm message cache 0 migration_threshold 2048000
}

# Brings all that is only in the cache to the origin. The 14th word counts the dirty blocks.
clean_cache() {
  [ "$mode" = writeback ] || return 0
  cache_switch writeback cleaner
  while [ "$(dm_status_word cache 14)" -ne 0 ]; do usleep 50000; done
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
  before=$(dm_status_word cache 13)
  while [ "$(dm_status_word cache 13)" -lt $((before + 8)) ] && [ "$passes" -lt "$3" ]; do
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

# The cache and era are active, the cache in passthrough mode.
throw_out_live() {
  era_cache_invalidate --cache cache --live era --written-since "$since" --summary
  era_cache_invalidate --cache cache --live era --written-since "$since" --execute
}

throw_out_by_list() {
  era_invalidate --live era --written-since "$since" --format json -o /tmp/changed.json
  era_cache_invalidate --cache cache --list /tmp/changed.json --execute
}

# By hand, of a copy of the cache's metadata.
throw_out_by_copy() {
  era_invalidate --live era --written-since "$since" -o /tmp/changed.xml
  era_cache_invalidate --cache-metadata "$copy_of_cache_metadata" --list /tmp/changed.xml \
    --data-block-size "$era_block" -o /tmp/stale
  send_messages
}

# By hand, while the stack is not active.
throw_out_at_rest() {
  dm_remove cache
  era_remove era
  era_cache_invalidate --cache-metadata "$cache_metadata" --written-since "$since" -o /tmp/stale \
    "$era_metadata"
  era_create era "$era_metadata" "$origin" "$length" "$era_block"
  dm_create cache "$(own_table passthrough smq)"
  send_messages
}

# Not busybox's xargs, which takes no -L.
send_messages() {
  cat /tmp/stale
  /bin/xargs -r -L 1 dmsetup --noudevsync message cache 0 invalidate_cblocks </tmp/stale
}

echo "-- the cache in use, with old data in it"
era_create era "$era_metadata" "$origin" "$length" "$era_block"
dm_create cache "$(own_table "$mode" smq)"
dm message cache 0 migration_threshold 2048000
fill_with "written before the snapshot"
write_here_and_there 2 40 4
warm_up 0 24 500
warm_up 40 24 500

echo "-- the vendor's snapshot, and the era that it begins"
clean_cache
dm_message era checkpoint
since=$(era_now era)
copy_disk "$origin" "$snapshot"
cache_switch "$mode" smq

echo "-- more writes: some to what is cached, some elsewhere"
fill_with "written after the snapshot"
write_here_and_there 5 100 7
write_direct cache $((length - 5)) 5
warm_up 12 16 30

echo "-- the rollback, beneath a cache that passes through"
clean_cache
dm suspend cache
copy_disk "$cache_metadata" "$copy_of_cache_metadata"
copy_disk "$cache_data" "$copy_of_cache_data"
dm resume cache
cache_switch passthrough smq
copy_disk "$snapshot" "$origin"

echo "-- the changed blocks go out of the cache"
refused era_invalidate --written-since "$since" "$era_metadata"
era_invalidate --live era --written-since "$since" >/tmp/changed
cached=$(cache_used cache)
"throw_out_$way"
left=$(cache_used cache)
cache_switch "$mode" smq
copy_disk /dev/mapper/cache "$result"

echo "-- the control: the same without that"
era_suspend era
copy_disk "$era_metadata" "$copy_of_era_metadata"
era_resume era
copy_disk "$snapshot" "$copy_of_origin"
era_create era2 "$copy_of_era_metadata" "$copy_of_origin" "$length" "$era_block"
dm_create cache2 "$(cache_table "$copy_of_cache_metadata" "$copy_of_cache_data" \
  /dev/mapper/era2 "$length" "$cache_block" "$mode" smq)"
copy_disk /dev/mapper/cache2 "$control_result"

for device in cache2 era2 cache era; do
  dm_remove "$device"
done
echo "since $since"
echo "cached $cached"
echo "left $left"
echo "changed:"
cat /tmp/changed
