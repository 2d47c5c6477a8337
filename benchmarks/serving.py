"""How fast the nbdkit plugin serves, beside nbdkit's own file plugin: for benchmarks/run --work serve.

The same client, fio, asks both for the same: reads and writes to blocks that are marked, on a disk
that is all there; and first writes of an era, at random blocks of 64 KiB of a sparse disk of 1 TiB,
where each block has to be marked and that committed: by one client that waits for its own commits,
and by 16 clients with many requests under way. The file plugin, which commits nothing, flushes after
every 16 of them instead. The median of the runs counts, which alternate.
"""

import shutil
import statistics
import subprocess
from pathlib import Path

MIB = 1 << 20
DISK = 1 << 30
SPARSE = 1 << 40
METADATA = "300M"
SECONDS = 5

MARKED = {
    "random reads of 4 KiB": ["--rw=randread", "--bs=4k", "--iodepth=16"],
    "sequential reads of 1 MiB": ["--rw=read", "--bs=1M", "--iodepth=4"],
    "random writes of 4 KiB": ["--rw=randwrite", "--bs=4k", "--iodepth=16"],
    "sequential writes of 1 MiB": ["--rw=write", "--bs=1M", "--iodepth=4"],
}
RANDOM_BLOCKS = ["--rw=randwrite", "--norandommap", "--randrepeat=0", "--blockalign=64k"]
FIRST = {
    "one client, waiting": ("era", ["--iodepth=1"]),
    "16 clients, 1 request each": ("era", ["--iodepth=1", "--numjobs=16"]),
    "16 clients, 16 requests each": ("era", ["--iodepth=16", "--numjobs=16"]),
    "file plugin, a flush after 16": ("file", ["--iodepth=16", "--fsync=16"]),
}


def run(words, **more):
    return subprocess.run([str(word) for word in words], check=True, **more)


def fio(size, options):
    """A shell command that prints reads and writes a second."""
    words = ["fio", "--name=job", "--ioengine=nbd", '--uri="$uri"', "--direct=1", "--time_based",
             f"--runtime={SECONDS}", f"--size={size}", "--group_reporting", "--output-format=terse",
             "--terse-version=3", *options]
    return " ".join(words) + " | awk -F';' '/^3;/ { print $8, $49 }'"


class Server:
    """One of the plugins on its own files; `before` is a shell command for the running server."""

    def __init__(self, given, folder, name):
        self.folder = folder
        self.name = name
        plugin = Path(given.bin).parent / "lib" / "nbdkit-era-plugin.so"
        self.words = (["file", "disk"] if name == "file" else
                      [plugin, "metadata=metadata", "origin=disk", "block-size=64k",
                       f"metadata-size={METADATA}"])

    def run(self, script):
        """What the script prints, and the largest resident memory in MiB."""
        memory = 'grep VmHWM "/proc/$(cat pid)/status" >memory'
        run(["nbdkit", "-f", "-P", "pid", "-U", "-", *self.words, "--run",
             f"export uri; {script} >result; {memory}"], cwd=self.folder)
        peak = int((self.folder / "memory").read_text(encoding="ascii").split()[1]) / 1024
        return (self.folder / "result").read_text(encoding="ascii").split(), peak

    def forget(self):
        (self.folder / "metadata").unlink(missing_ok=True)


def rate(result):
    """Of reads and writes, the one that there was."""
    return sum(float(number) for number in result)


def make_disk(path):
    run(["dd", "if=/dev/zero", f"of={path}", "bs=1M", f"count={DISK // MIB}", "conv=fsync",
         "status=none"])


def make_sparse(path):
    path.unlink(missing_ok=True)
    with open(path, "wb") as file:
        file.truncate(SPARSE)


def compare_marked(given, folder, say):
    servers = {name: Server(given, folder, name) for name in ("era", "file")}
    make_disk(folder / "disk")
    mark_all = ('fio --name=mark --ioengine=nbd --uri="$uri" --rw=write --bs=1M --iodepth=8 '
                f"--size={DISK} --output=/dev/null")
    rows = []
    for title, options in MARKED.items():
        say(title)
        rates = {name: [] for name in servers}
        peak = 0
        for _ in range(given.repeat):
            for name, server in servers.items():
                server.forget()
                before = f"{mark_all}; " if name == "era" else ""
                result, memory = server.run(before + fio(DISK, options))
                rates[name].append(rate(result))
                peak = max(peak, memory if name == "era" else 0)
        ours, theirs = (statistics.median(rates[name]) for name in ("era", "file"))
        rows.append([title, f"{ours:.0f}", f"{theirs:.0f}", f"{ours / theirs:.2f}", f"{peak:.0f}"])
    return rows


def compare_first(given, folder, size, say):
    rates = {title: [] for title in FIRST}
    peak = dict.fromkeys(FIRST, 0.0)
    for _ in range(given.repeat):
        for title, (name, options) in FIRST.items():
            say(f"first writes of {size}: {title}")
            server = Server(given, folder, name)
            server.forget()
            make_sparse(folder / "disk")
            result, memory = server.run(fio(SPARSE, [*RANDOM_BLOCKS, f"--bs={size}", *options]))
            rates[title].append(rate(result))
            peak[title] = max(peak[title], memory)
    alone = statistics.median(rates["one client, waiting"])
    rows = []
    for title, found in rates.items():
        middle = statistics.median(found)
        rows.append([f"{size}, {title}", f"{middle:.0f}", f"{middle / alone:.1f}",
                     f"{peak[title]:.0f}"])
    return rows


def benchmark(given, folder, print_table, say):
    for program in ("nbdkit", "fio"):
        if shutil.which(program) is None:
            print(f"- serving: left out, {program} is not here")
            return False
    print(f"Serving by nbdkit, median of {given.repeat} runs of {SECONDS} s, requests a second.\n")
    print_table(["marked blocks of 64 KiB, 1 GiB", "era", "file", "era / file", "peak MiB"],
                compare_marked(given, folder, say))
    print()
    rows = []
    for size in ("4k", "64k"):
        rows += compare_first(given, folder, size, say)
    print_table(["first writes of an era, 1 TiB", "writes / s", "× one client", "peak MiB"], rows)
    return True
