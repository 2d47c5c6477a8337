# For packaging/test --fresh-root, which reads this file: a system of this machine's release, and what
# only a whole system can show.
# shellcheck shell=bash disable=SC2154  # work, root and ours are of the test

# in_root COMMAND: in $root, as on a fresh machine. The mounts end with it.
in_root() {
  # shellcheck disable=SC2016
  unshare --mount --pid --fork --kill-child bash -euc '
    mount -t proc proc "$0/proc"
    mount --rbind /dev "$0/dev"
    exec env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
      chroot "$0" sh -c "$1"
  ' "$root" "$1"
}

make_fresh_root() {
  local release mirror
  release=$(. /etc/os-release && echo "$VERSION_CODENAME")
  # shellcheck disable=SC2016  # apt-get replaces it
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' | sed -n 1p)
  [ -n "$mirror" ] || skip "apt knows no Debian mirror"
  say "making a system of $release"
  quietly debootstrap --variant=minbase "$release" "$root" "$mirror"
  cp /etc/resolv.conf "$root/etc/"
  mkdir -p "$root/debs"
  cp "${ours[@]}" "$root/debs/"
  say "installing the packages with their dependencies"
  quietly in_root "apt-get update -qq
    apt-get install -y -qq --no-install-recommends /debs/*.deb thin-provisioning-tools initramfs-tools-core kmod"
  rm "$root/debs/"*.deb
}

# The modules of the release's kernel, which is not installed.
get_modules() {
  # shellcheck disable=SC2016  # for the shell in the root
  quietly in_root 'cd /debs
    image=$(apt-cache depends linux-image-amd64 | sed -n "s/^ *Depends: //p")
    apt-get -qq download "$image"
    dpkg-deb --fsys-tarfile linux-image-*.deb | tar -x -C / --keep-directory-symlink
    rm linux-image-*.deb'
  kernel=$(ls "$root/lib/modules")
}

# mkinitramfs, with no modules but those that hooks ask for.
make_initramfs() {
  in_root "depmod $kernel; cp -rT /etc/initramfs-tools /conf
    sed -i 's/^MODULES=.*/MODULES=list/' /conf/initramfs.conf
    mkinitramfs -d /conf -o /initramfs $kernel" >"$work/log" 2>&1
}
in_initramfs() { in_root "lsinitramfs /initramfs" | grep -E "(^|/)$1(\.[xg]z)?$" >"$work/log"; }

try_initramfs() {
  local conf=$root/etc/era-tools/root.conf
  scenario="an initramfs"
  say "$scenario"
  get_modules
  expect make_initramfs
  expect_failure in_initramfs era_check
  mkdir -p "${conf%/*}"
  echo "NAME=root" >"$conf"
  scenario="an initramfs, with half of root.conf"
  expect_failure make_initramfs
  expect grep -q "E: era-tools: /etc/era-tools/root.conf does not set METADATA" "$work/log"
  printf '%s\n' NAME=root METADATA=/meta ORIGIN=/origin BLOCK_SIZE=128 >"$conf"
  scenario="an initramfs, with root.conf"
  expect make_initramfs
  for name in usr/sbin/era_check dmsetup dm-era.ko dm-persistent-data.ko etc/era-tools/root.conf \
    scripts/local-top/era-tools scripts/local-block/era-tools; do
    expect in_initramfs "$name"
  done
  quietly in_root "unmkinitramfs /initramfs /unpacked"
  try_unpacked "$root/unpacked"
}

# The script in its own surroundings, but without a kernel: dmsetup only says how it was called.
try_unpacked() {
  local inside=$1 dmsetup
  [ -d "$inside/main" ] && inside=$inside/main
  "$build/bin/era_simulate" - >/dev/null <<SCRIPT
device $inside/meta 512
device $inside/origin 2048
create 0 2048 era $inside/meta $inside/origin 128
remove
SCRIPT
  mkdir -p "$inside/proc" "$inside/dev" "$inside/sys/class/block/origin"
  echo 2048 >"$inside/sys/class/block/origin/size"
  dmsetup=$(find "$inside" -name dmsetup ! -path '*/scripts/*' | head -n 1)
  printf '#!/bin/sh\necho "dmsetup $*"\n' >"$dmsetup"
  expect grep -q era-tools "$inside/scripts/local-block/ORDER"
  root=$inside quietly in_root "sh /scripts/local-block/era-tools /dev/mapper/root"
  expect grep -qx "dmsetup create root --table 0 2048 era /meta /origin 128" "$work/log"
}

try_in_fresh_root() {
  begin "the tools of both packages"
  expect install peer era-tools
  expect in_root "era_check --version" >/dev/null
  expect in_root 'for tool in era_cache_invalidate era_check era_copy era_dump era_invalidate \
    era_message era_metadata_size era_repair era_restore era_simulate era_stat; do $tool --help; done' >/dev/null
  expect [ "$(in_root "era_check --version")" = "$("$build/bin/era_check" --version)" ]
  expect [ "$(in_root "pdata_tools era_check --version")" != "$(in_root "era_check --version")" ]
  try_initramfs
}
