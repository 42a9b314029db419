#!/bin/bash
# Compile SPIR-V for GPUs that are not there: newer Mesa drivers and their DRM shims, unpacked from Debian's packages
# into a folder (nothing is installed), run by shaderstats. See CONTRIBUTING.md.
#
#   edge.sh setup            drivers for amd64: AMD, Adreno, NVIDIA (NVK), Apple   (about 80 MB to fetch)
#   edge.sh setup-arm64      drivers for arm64 under qemu: V3D, Mali, PowerVR      (about 190 MB to fetch)
#   edge.sh list             names of the GPUs
#   edge.sh run GPU[,GPU..] [shaderstats options] file.spv...
#   edge.sh glslc ARGS...    the suite's glslc (newer GLSL extensions, e.g. GL_EXT_integer_dot_product)
#
# Paths, all from the environment:
#   MESA_SHIM_DIR      work folder (required); it may be deleted at any time
#   SHADERSTATS_SRC    shaderstats.c (default: beside this script)
#   MESA_SHIM_SUITE    Debian suite to take Mesa from (sid)
#   APT_SOURCES        the machine's deb822 sources file, whose mirror is used (/etc/apt/sources.list.d/debian.sources)
#   CC, CC_ARM64, QEMU_ARM64   compilers and emulator, if there are better ones than the default
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
D=${MESA_SHIM_DIR:?set MESA_SHIM_DIR to a work folder}
SRC=${SHADERSTATS_SRC:-$here/shaderstats/shaderstats.c}
SUITE=${MESA_SHIM_SUITE:-sid}
SOURCES=${APT_SOURCES:-/etc/apt/sources.list.d/debian.sources}
A64=$D/amd64 R64=$D/arm64 X=$D/cross
mkdir -p "$D"
D=$(cd "$D" && pwd) A64=$D/amd64 R64=$D/arm64 X=$D/cross
say() { echo "edge: $*" >&2; }

apt_() { # apt_ ARCH TOOL ARGS: apt with lists of its own for SUITE, so that the machine's own state is left alone
  local arch=$1 tool=$2 a=$D/apt-$SUITE-$1
  shift 2
  mkdir -p "$a"/{lists/partial,cache/archives/partial,parts}
  [[ -e $a/status ]] || : >"$a/status"
  sed -n '1,/^$/p' "$SOURCES" | sed -e "s/^Suites:.*/Suites: $SUITE/" -e 's/^Types:.*/Types: deb/' >"$a/parts/debian.sources"
  nice -n 19 "$tool" -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$a/parts" -o Dir::State::lists="$a/lists" \
    -o Dir::Cache="$a/cache" -o Dir::State::status="$a/status" -o APT::Architecture="$arch" -o APT::Architectures::="$arch" \
    -o APT::Sandbox::User=root -o Acquire::Languages=none -qq "$@"
}

unpack() { # unpack ARCH INTO PACKAGES: with everything they need, libc included
  local arch=$1 into=$2
  shift 2
  apt_ "$arch" apt-get update
  apt_ "$arch" apt-get install -y --no-install-recommends --download-only "$@"
  rm -rf "$into.new"
  mkdir -p "$into.new"
  local f
  for f in "$D/apt-$SUITE-$arch"/cache/archives/*.deb; do dpkg-deb -x "$f" "$into.new"; done
  rm -rf "$into"
  mv "$into.new" "$into"
  rm -f "$D/apt-$SUITE-$arch"/cache/archives/*.deb
}

icds() { # icds ROOT LIBDIR: ICD files that name the unpacked libraries
  local f lib
  mkdir -p "$1/icd"
  for f in "$1"/usr/share/vulkan/icd.d/*.json; do
    lib=$(grep -o 'libvulkan_[a-z_]*\.so' "$f")
    sed "s#\"library_path\": \"[^\"]*\"#\"library_path\": \"$2/$lib\"#" "$f" >"$1/icd/$(basename "$f")"
  done
}

setup() {
  unpack amd64 "$A64" mesa-vulkan-drivers mesa-drm-shim libvulkan1 glslc
  icds "$A64" "$A64/usr/lib/x86_64-linux-gnu"
  ${CC:-gcc} -O2 -o "$D/shaderstats" "$SRC" -ldl
  say "ready: $(ls "$A64/icd" | sed 's/_icd.json//' | tr '\n' ' ')"
}

setup_arm64() {
  unpack arm64 "$R64" mesa-vulkan-drivers mesa-drm-shim libvulkan1
  icds "$R64" "$R64/usr/lib/aarch64-linux-gnu"
  mkdir -p "$X/debs"
  if [[ -z ${QEMU_ARM64:-} ]] && ! type -p qemu-aarch64-static >/dev/null; then
    (cd "$X/debs" && apt-get -qq -o APT::Sandbox::User=root download qemu-user-static && dpkg-deb -x qemu-user-static_*.deb "$X")
  fi
  local cc=${CC_ARM64:-$(type -p aarch64-linux-gnu-gcc || true)} extra=() p
  if [[ -z $cc ]]; then # the machine's own suite: it has to run on the machine's libc
    for p in $(apt-get install -s --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross 2>/dev/null | awk '/^Inst/ {print $2}' | grep -vE 'san|itm|gomp'); do
      (cd "$X/debs" && apt-get -qq -o APT::Sandbox::User=root download "$p" && dpkg-deb -x "$p"_*.deb "$X")
    done
    cc=$(ls "$X"/usr/bin/aarch64-linux-gnu-gcc-[0-9]* | head -1)
    p=$(type -p aarch64-linux-gnu-as || echo "$X/usr/bin/aarch64-linux-gnu-as") # apt leaves out what is installed
    extra=(-B "${p%as}" --sysroot="$X")
  fi
  rm -rf "$X/debs"
  LD_LIBRARY_PATH=$X/usr/lib/x86_64-linux-gnu "$cc" -O2 "${extra[@]}" -idirafter /usr/include -o "$D/shaderstats-arm64" "$SRC" -ldl
  say "ready: $(ls "$R64/icd" | sed 's/_icd.json//' | tr '\n' ' ')"
}

AMD="raven raven2 renoir vangogh rembrandt raphael_mendocino phoenix strix1 navi10 navi21 navi31 navi33 gfx1201 vega10 vega20 polaris10 polaris12"
list() {
  echo "AMD (RADV, amd64):        $AMD"
  echo "Adreno (Turnip, amd64):   adreno-610 adreno-618 adreno-630 adreno-660 adreno-702 adreno-730 adreno-740 adreno-750 adreno-810 adreno-830"
  echo "NVIDIA (NVK, amd64):      nv-12b (Tegra X1) nv-13b (Tegra X2) nv-162 (Turing) nv-172 (Ampere) nv-17b (Orin) nv-192 (Ada) and other chipset numbers"
  echo "Apple (Honeykrisp, amd64): apple-m1"
  echo "V3D (V3DV, arm64):        v3d-42 (Raspberry Pi 4) v3d-71 (Raspberry Pi 5)"
  echo "Mali (PanVK, arm64):      mali-g52 mali-g610 mali-g310"
  echo "PowerVR (arm64):          powervr-bxs"
}

run_one() {
  local gpu=$1 driver shim arch=amd64
  shift
  export MESA_SHADER_CACHE_DISABLE=true PAN_I_WANT_A_BROKEN_VULKAN_DRIVER=1
  unset VK_ICD_FILENAMES VK_DRIVER_FILES RADV_FORCE_FAMILY
  case $gpu in
    adreno-*) driver=freedreno shim=freedreno; export FD_GPU_ID=${gpu#adreno-} ;;
    nv-*) driver=nouveau shim=nouveau; export NOUVEAU_CHIPSET=0x${gpu#nv-} ;;
    apple-*) driver=asahi shim=asahi ;;
    v3d-*) driver=broadcom shim=v3d arch=arm64; export V3D_GPU_ID=${gpu#v3d-} ;;
    mali-g52) driver=panfrost shim=panfrost arch=arm64; export PAN_GPU_ID=7212 ;;
    mali-g610) driver=panfrost shim=panfrost arch=arm64; export PAN_GPU_ID=a867 ;;
    mali-g310) driver=panfrost shim=panfrost arch=arm64; export PAN_GPU_ID=ac74 ;;
    powervr-*) driver=powervr_mesa shim=powervr arch=arm64 ;;
    *) [[ " $AMD " == *" $gpu "* ]] || { say "no GPU '$gpu'"; list >&2; return 2; }
      driver=radeon shim=amdgpu; export AMDGPU_GPU_ID=$gpu ;;
  esac
  if [[ $arch = amd64 ]]; then
    [[ -x $D/shaderstats ]] || { say "run 'setup' first"; return 2; }
    local L=$A64/usr/lib/x86_64-linux-gnu
    "$L/ld-linux-x86-64.so.2" --preload "$L/lib${shim}_noop_drm_shim.so" --library-path "$L" \
      "$D/shaderstats" --icd "$A64/icd/${driver}_icd.json" --families - --tag "$gpu" "$@"
  else
    [[ -x $D/shaderstats-arm64 ]] || { say "run 'setup-arm64' first"; return 2; }
    local L=$R64/usr/lib/aarch64-linux-gnu qemu=${QEMU_ARM64:-$(type -p qemu-aarch64-static || echo "$X/usr/bin/qemu-aarch64-static")}
    "$qemu" "$L/ld-linux-aarch64.so.1" --preload "$L/lib${shim}_noop_drm_shim.so" --library-path "$L" \
      "$D/shaderstats-arm64" --icd "$R64/icd/${driver}_icd.json" --families - --tag "$gpu" "$@"
  fi
}

case ${1:-} in
  setup) setup ;;
  setup-arm64) setup_arm64 ;;
  list) list ;;
  glslc)
    shift
    L=$A64/usr/lib/x86_64-linux-gnu
    exec "$L/ld-linux-x86-64.so.2" --library-path "$L" "$A64/usr/bin/glslc" "$@" ;;
  run)
    [[ $# -ge 3 ]] || { sed -n '2,/^set/p' "$0" | grep '^#'; exit 2; }
    gpus=$2 bad=0 head=()
    shift 2
    for g in ${gpus//,/ }; do
      run_one "$g" "${head[@]}" "$@" || { rc=$?; [[ $rc -le $bad ]] || bad=$rc; }
      head=(--no-header)
    done
    exit "$bad" ;;
  *) sed -n '2,/^set/p' "$0" | grep '^#'; exit 2 ;;
esac
