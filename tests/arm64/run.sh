#!/usr/bin/env bash
# Test a bundle on 64-bit ARM without the board: Debian for arm64 in a folder, under qemu's user emulation, with real aarch64
# wheels. Verification, the runtime's own tests and benchmark.py, from end to end. Times under emulation are meaningless.
#   tests/arm64/run.sh [FOLDER]      # default ~/.cache/hcrlib/arm64; built once (minutes), then reused
# Needs root, and Debian's debootstrap and qemu-user-static. `make test-arm64` saves the transcript.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/hcrlib/arm64}
suite=${ARM64_SUITE:-bullseye} # the oldest Debian available: Python 3.9. vermin checks 3.6, in `make test`
python=.venv/bin/python

for tool in debootstrap qemu-aarch64-static; do
    command -v $tool >/dev/null || { echo "$tool is not installed: apt install debootstrap qemu-user-static" >&2; exit 1; }
done
[ "$(id -u)" = 0 ] || { echo "This needs root, for debootstrap and chroot" >&2; exit 1; }

if [ ! -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ]; then
    mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    cat /usr/lib/binfmt.d/qemu-aarch64.conf >/proc/sys/fs/binfmt_misc/register
fi
if [ ! -e "$root/.ready" ]; then
    echo "== Debian $suite for arm64"
    [ ! -e "$root" ] || [ -e "$root.debootstrap.log" ] || { echo "$root exists, and this script did not make it: name another" >&2; exit 1; }
    rm -rf "$root"
    mkdir -p "$root"
    debootstrap --arch=arm64 --variant=minbase --include=python3,python3-pip,python3-pytest,python3-yaml "$suite" "$root" >"$root.debootstrap.log"
    touch "$root/.ready"
fi
in_root() { chroot "$root" env -i PATH="$PATH" HOME=/root "$@"; }
unmount() { umount "$root/proc" "$root/sys" 2>/dev/null || true; }
trap unmount EXIT
unmount
mount --bind /proc "$root/proc" # for a process' peak memory
mount --bind /sys "$root/sys"   # ONNX Runtime 1.19 aborts if it cannot count processors
version=$(in_root python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
echo "== Python $version on $(in_root uname -m)"
mkdir -p "$root/wheels"
$python -m pip download --quiet --disable-pip-version-check --only-binary :all: --python-version "$version" \
    --platform manylinux2014_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_28_aarch64 \
    --dest "$root/wheels" numpy pillow onnxruntime ai-edge-litert flask waitress prometheus-client importlib-metadata 2> >(grep -v WARNING >&2)
in_root python3 -m pip install --quiet --no-index --find-links /wheels numpy pillow onnxruntime ai-edge-litert \
    flask waitress prometheus-client
in_root python3 -m pip list 2>/dev/null | grep -iE '^(numpy|pillow|onnxruntime|ai-edge|flask|waitress)'

echo "== a bundle, made on this machine"
rm -rf "$root/srv"
mkdir -p "$root/srv"
HCR_RESULTS="$root/srv/results" $python - <<'MAKE'
import hcrlib
from hcrlib.export import bundle
run = hcrlib.train("cnn-compact", epochs=1, say=lambda line: None)
print(run)
print(bundle.write(run.id).name)
MAKE
mv "$root"/srv/results/bundles/* "$root/srv/bundle"
rm -rf "$root/srv/results"
cp -r deploy "$root/srv/deploy"
mkdir -p "$root/srv/hcrlib" "$root/srv/tests"
cp -r hcrlib/runtime "$root/srv/hcrlib/runtime"
touch "$root/srv/hcrlib/__init__.py"
cp tests/unit/test_runtime_image.py tests/unit/test_runtime_pipeline.py "$root/srv/tests/"

there() {
    echo "+ $*"
    in_root env -C /srv PYTHONPATH=/srv "$@"
}
echo "== verified and read there"
there env -C /srv/bundle python3 -m runtime --verify
there env -C /srv/bundle python3 -m runtime --verify --engine litert
echo "== the runtime's tests"
there python3 -m pytest -q -p no:cacheprovider tests
echo "== a damaged file"
there sh -c 'cp -r bundle damaged && printf x >>damaged/model/model.onnx && cd damaged && python3 -m runtime --verify 2>&1 | grep "it is damaged"'
echo "== the page"
there python3 - <<'PAGE'
import io, json, re, subprocess, sys, urllib.request
from PIL import Image, ImageDraw
command = [sys.executable, "-m", "runtime.web", "--port", "0", "--workers", "1", "--no-corrections"]
page = subprocess.Popen(command, cwd="bundle", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
print(page.stdout.readline().strip())
address = "http://127.0.0.1:%s/" % re.search(r":(\d+)/", page.stdout.readline())[1]
picture, stream = Image.new("L", (140, 140), 255), io.BytesIO()
ImageDraw.Draw(picture).line([(75, 25), (65, 115)], fill=0, width=10)
picture.save(stream, "png")
kind = {"Content-Type": "image/png"}
answer = urllib.request.urlopen(urllib.request.Request(address + "api/predict", stream.getvalue(), kind))
print("a stroke is read as", json.load(answer)["alternatives"][0]["label"])
page.terminate()
print("stopped with", page.wait())
PAGE
echo "== the benchmark"
there python3 deploy/jetson/benchmark.py bundle --out /srv/records | sed -E 's/[0-9.]+ (ms|images a second)/~ \1/g; s/p(90|99) [0-9.]+/p\1 ~/g'
there python3 -c 'import json, glob; [print(r["status"], r["engine"], r["device"]["facts"]["machine"], "peak memory %.0f MB" % r["device"]["peak_rss_mb"]) for r in map(json.load, map(open, sorted(glob.glob("records/*.json"))))]'
echo "== installed on what is no board"
there sh deploy/jetson/install.sh --check && exit 1 || true
echo "all of it ran on aarch64"
