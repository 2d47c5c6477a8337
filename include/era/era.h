/* libera-tools: reads the metadata of the Linux device-mapper target "era" (dm-era), which
 * remembers in which era each block of a device was last written.
 *
 *   era_error error;
 *   era_metadata *metadata;
 *   era_changes *changes;
 *   era_range range;
 *   if (era_open(&metadata, "/dev/vg/meta", 0, &error) != ERA_OK ||
 *       era_changes_since(&changes, metadata, 17, 0, &error) != ERA_OK)
 *     return fail(error.text);
 *   while (era_next_change(changes, &range))
 *     copy(range.begin, range.end);
 *   era_free_changes(changes);
 *   era_close(metadata, &error);
 *
 * Lists are never too short. All that decides one is read and found sound before its first range
 * is given; damage, an era that nobody can have noted from this metadata, and a file that changes
 * while it is read are errors, and there is no list.
 *
 * Errors. Functions that can fail return ERA_OK, which is 0, or another era_code, and describe the
 * failure in *error, if that is not NULL. A pointer that they were to set is NULL then. Look at the
 * code: no list is not an empty list.
 *
 * Threads. Different handles may be used by different threads at the same time. One handle is used
 * by one thread at a time. An era_changes does not refer to the metadata that it was made of.
 * era_open_live(), and era_close() of what it opened, use libdevmapper, which is not made for
 * threads: one call at a time in a process.
 *
 * The library writes nothing to standard output or standard error, installs no signal handler,
 * keeps no state besides the handles, and lets no C++ exception out. It may start threads of its
 * own, which take no signals and have ended when a function returns.
 *
 * Licence: GPL-3.0-or-later. */
#ifndef ERA_ERA_H
#define ERA_ERA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ERA_VERSION_MAJOR 1
#define ERA_VERSION_MINOR 0

#if defined(ERA_BUILDS_LIBRARY)
#define ERA_API __attribute__((visibility("default")))
#else
#define ERA_API
#endif

/* The version of the library that is linked, such as "1.0.0". It never goes away. */
ERA_API const char* era_version(void);

enum era_code {
  ERA_OK = 0,
  ERA_ERROR_SYSTEM = 1,   /* the operating system refused: no such file, in use, I/O error */
  ERA_ERROR_DATA = 2,     /* damage, or metadata that does not fit what is asked */
  ERA_ERROR_ARGUMENT = 3, /* an argument is wrong; nothing was looked at */
  ERA_ERROR_MEMORY = 4,   /* no memory is left */
  ERA_ERROR_INTERNAL = 5  /* a fault of the library */
};

#define ERA_ERROR_TEXT 1024

typedef struct era_error {
  int code;                  /* an era_code */
  char text[ERA_ERROR_TEXT]; /* what is wrong, where, what to do; cut off where it is too long */
} era_error;

/* Metadata that is open. */
typedef struct era_metadata era_metadata;

/* For era_open(): read the metadata snapshot. The device may be active. Without it, the live
 * metadata is read, and a block device must not be in use. */
#define ERA_OPEN_SNAPSHOT 1U

/* For era_open_live(): drop a metadata snapshot that is held already, and take a new one. */
#define ERA_REPLACE_SNAPSHOT 2U

/* Opens a metadata device, or a file with a copy of one, plain or packed. */
ERA_API int era_open(era_metadata** metadata, const char* path, unsigned flags, era_error* error);

/* Opens the active era device `name`, a device-mapper name or a path: takes a metadata snapshot,
 * which begins a new era, and holds it until era_close(). Root alone can do this. A child process
 * drops the snapshot if this process is killed; so call it while the process has one thread, and
 * do not wait for children that are not yours. Nothing drops the snapshot where that child is
 * killed too: dmsetup message NAME 0 drop_metadata_snap. */
ERA_API int era_open_live(era_metadata** metadata, const char* name, unsigned flags,
                          era_error* error);

/* Closes it, whatever it returns, and drops the snapshot that era_open_live() took. An error says
 * that the snapshot is still there. NULL is closed already. */
ERA_API int era_close(era_metadata* metadata, era_error* error);

typedef struct era_facts {
  uint64_t block_bytes;  /* of a data block */
  uint64_t device_bytes; /* of a live device; else that of all data blocks, whole */
  uint32_t nr_blocks;    /* data blocks */
  uint32_t current_era;  /* a snapshot holds all that was written before its current era */
  uint32_t next_since;   /* the era to ask for next time, when all changes have been copied */
  uint32_t is_open;      /* 1: writes are still recorded in the current era */
} era_facts;

/* `size` is sizeof(era_facts) of the caller: later versions may append members. What a newer
 * caller has more than the library is set to 0. */
ERA_API int era_get_facts(const era_metadata* metadata, era_facts* facts, size_t size,
                          era_error* error);

/* The changed blocks of a device. */
typedef struct era_changes era_changes;

/* Finds what was written in era `since` or later; 0 means all blocks. `device_bytes` is where the
 * device ends, to which the last range is cut; 0 where that is not known: for era_open_live() it
 * is, and else the last block counts as whole. Takes one bit of memory for each data block. */
ERA_API int era_changes_since(era_changes** changes, era_metadata* metadata, uint32_t since,
                              uint64_t device_bytes, era_error* error);

typedef struct era_range {
  uint64_t begin; /* bytes on the device */
  uint64_t end;   /* the first byte after it */
  uint64_t first_block;
  uint64_t end_block;
} era_range;

/* Gives the next range, in ascending order; ranges do not touch. Returns 1, or 0 where there are no
 * more. */
ERA_API int era_next_change(era_changes* changes, era_range* range);

/* The next call of era_next_change() gives the first range that begins at data block `block` or
 * after it. */
ERA_API void era_seek_change(era_changes* changes, uint64_t block);

ERA_API void era_free_changes(era_changes* changes);

/* Fills eras[0 .. count - 1] with the eras in which the data blocks first .. first + count - 1 were
 * last written; 0 is never. They must be blocks of the device. The first call reads all of the
 * metadata to find damage. Where it fails, unless an argument is wrong, all of them become
 * 4294967295: too much is copied then, and not too little. */
ERA_API int era_last_written(era_metadata* metadata, uint64_t first, uint64_t count, uint32_t* eras,
                             era_error* error);

#ifdef __cplusplus
}
#endif

#endif
