/* changed METADATA ERA: prints what was written in era ERA or later, in bytes.
 *
 *     cc changed.c $(pkg-config --cflags --libs era-tools) -o changed */
#include <era/era.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  era_error error;
  era_metadata* metadata;
  era_changes* changes;
  era_range range;

  if (argc != 3) {
    fputs("usage: changed METADATA ERA\n", stderr);
    return 2;
  }
  if (era_open(&metadata, argv[1], 0, &error) != ERA_OK ||
      era_changes_since(&changes, metadata, (uint32_t)strtoul(argv[2], NULL, 10), 0, &error) !=
          ERA_OK) {
    fprintf(stderr, "%s\n", error.text);
    return 1;
  }
  while (era_next_change(changes, &range)) {
    printf("%" PRIu64 " %" PRIu64 "\n", range.begin, range.end - range.begin);
  }
  era_free_changes(changes);
  if (era_close(metadata, &error) != ERA_OK) {
    fprintf(stderr, "%s\n", error.text);
    return 1;
  }
  return 0;
}
