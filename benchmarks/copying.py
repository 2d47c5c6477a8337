"""How fast era_copy copies, beside what else can copy by a list: for benchmarks/run --work copy.

Makes a source of random bytes and era metadata for it, then copies onto a target that has its size,
in two jobs: all of it in one long run, against dd with large direct requests; and a part in random
blocks, against a shell loop of dd, ddrescue, nbdcopy and qemu-img with the same list. What a program
has not flushed at its end is flushed, and counts. Programs that are not here are left out, and that
is said.
"""

import os
import shutil
import statistics
import subprocess

BLOCK = 65536  # bytes of a data block
PERCENT = 5
MIB = 1 << 20

DD_LOOP = """while read -r begin end; do
  dd if="$source" of="$target" bs=64k iflag=direct,skip_bytes,count_bytes oflag=direct,seek_bytes \\
    conv=notrunc status=none skip="$begin" seek="$begin" count=$((end - begin)) || exit 1
done <"$folder/ranges"; sync -d "$target\""""

LONG = {
    "era_copy": ([], '"$era_copy" -q --written-since 0 "$metadata" "$source" "$target"'),
    "dd bs=1M": (["dd"], 'dd if="$source" of="$target" bs=1M iflag=direct oflag=direct '
                         'conv=notrunc status=none && sync -d "$target"'),
}
PART = {
    "era_copy": ([], '"$era_copy" -q --written-since "$since" "$metadata" "$source" "$target"'),
    "era_copy --skip-equal": ([], '"$era_copy" -q --skip-equal --written-since "$since" '
                                  '"$metadata" "$source" "$target"'),
    "shell loop of dd": (["dd"], DD_LOOP),
    "ddrescue -m": (["ddrescue"],
                    'rm -f "$folder/out.map"; ddrescue -q --force --idirect --odirect '
                    '-m "$folder/list.map" "$source" "$target" "$folder/out.map" && '
                    'sync -d "$target"'),
    "nbdcopy": (["nbdkit", "nbdcopy"],
                'nbdkit -r -U - --filter=extentlist file "$source" cache=none '
                'extentlist="$folder/extents" --run "nbdcopy --destination-is-zero --sparse=0 \\$uri '
                '-- [ nbdkit --exit-with-parent file \\"$target\\" cache=none ]" && sync -d "$target"'),
    "qemu-img convert": (["nbdkit", "qemu-img"],
                         'nbdkit -r -U - --filter=extentlist file "$source" cache=none '
                         'extentlist="$folder/extents" --run "qemu-img convert -n '
                         '--target-is-zero -W -m 16 -t none -f raw -O raw \\$uri \\"$target\\"" && '
                         'sync -d "$target"'),
}


def run(words, **more):
    return subprocess.run([str(word) for word in words], check=True, **more)


def make_random(path, size):
    with open(path, "wb") as file:
        for done in range(0, size, 4 * MIB):
            file.write(os.urandom(min(4 * MIB, size - done)))
        file.flush()
        os.fsync(file.fileno())


def make_metadata(given, folder, blocks):
    """The blocks of the latest era are the part that is copied."""
    image = folder / "metadata"
    run([given.bin / "make_image", "--blocks", blocks, "--block-size", BLOCK // 512, "--eras", 10,
         "--writesets", 1, "--density", PERCENT, "--seed", given.seed, image])
    summary = run([given.bin / "era_dump", image], capture_output=True, text=True).stdout
    era = int(summary.split('current_era="')[1].split('"')[0])
    return image, era


def measured(given, script, variables, folder):
    """Wall time, CPU time and peak memory (MiB) of all of it, or why there is none."""
    report = folder / "report"
    done = subprocess.run([given.bin / "measure", str(given.time_limit), report, "bash", "-c", script],
                          env={**os.environ, **variables}, capture_output=True, text=True)
    wall, user, system, peak, *end = report.read_text(encoding="ascii").split()
    if end == ["time"]:
        return None, f"more than {given.time_limit} s"
    if end != ["exit", "0"]:
        return None, done.stderr.strip()[:200] or " ".join(end)
    return (float(wall), float(user) + float(system), int(peak) / 1024), ""


def compare(given, title, size, jobs, variables, folder):
    taken = {name: [] for name in jobs}
    notes = []
    for _ in range(given.repeat):
        for name, (programs, script) in jobs.items():
            missing = [program for program in programs if shutil.which(program) is None]
            if missing:
                note = f"- {name}: left out, {missing[0]} is not here"
            else:
                sample, why = measured(given, script, variables, folder)
                note = f"- {name}: {why}"
                if sample is not None:
                    taken[name].append(sample)
                    continue
            if note not in notes:
                notes.append(note)
    rows = []
    ours = None
    for name, samples in taken.items():
        if samples:
            wall, cpu = (statistics.median(sample[i] for sample in samples) for i in (0, 1))
            ours = ours or wall
            peak = max(sample[2] for sample in samples)
            rows.append([title, name, f"{wall:.2f}", f"{size / wall / MIB:.0f}", f"{wall / ours:.2f}",
                         f"{cpu:.2f}", f"{cpu / (size / 1e9):.2f}", f"{peak:.1f}"])
    return rows, notes


def benchmark(given, folder, print_table, say):
    size = given.copy_gib << 30
    blocks = size // BLOCK
    source, target = folder / "source", folder / "target"
    say(f"making a source of {given.copy_gib} GiB")
    make_random(source, size)
    make_random(target, size)
    metadata, era = make_metadata(given, folder, blocks)
    variables = {"era_copy": str(given.bin / "era_copy"), "metadata": str(metadata),
                 "source": str(source), "target": str(target), "folder": str(folder),
                 "since": str(era)}
    listing = [given.bin / "era_invalidate", "--written-since", era, "--origin", source]
    for form, name, more in (("ranges", "ranges", ["--unit", "bytes"]),
                             ("ddrescue", "list.map", []), ("extentlist", "extents", [])):
        run([*listing, "--format", form, *more, "-o", folder / name, metadata])
    with open(folder / "ranges", encoding="ascii") as lines:
        ranges = [tuple(map(int, line.split())) for line in lines]
    part = sum(end - begin for begin, end in ranges)
    say("copying all of it")
    rows, notes = compare(given, f"all, {size / 1e9:.1f} GB", size, LONG, variables,
                          folder)
    say("copying a part")
    more_rows, more_notes = compare(given, f"part, {part / 1e6:.0f} MB in {len(ranges)} ranges", part,
                                    PART, variables, folder)
    print(f"A source of {given.copy_gib} GiB on a file, blocks of {BLOCK // 1024} KiB, "
          f"{PERCENT} % of them listed; median of {given.repeat} runs.\n")
    print_table(["work", "tools", "wall s", "MiB/s", "wall × ours", "CPU s", "CPU s a GB",
                 "peak MiB"],
                rows + more_rows)
    print("\n".join(notes + more_notes))
    return not any("era_copy" in note for note in notes + more_notes)
