#!/bin/sh
# What a bundle needs on a Jetson: an engine, numpy, Pillow, PyYAML, and Flask and waitress for the page. Run it as often as you like; it refuses any other machine.
# `install.sh --check` changes nothing and says what it would do.
set -eu

case ${1:-} in
'') check=no ;;
--check) check=yes ;;
*)
    echo "usage: install.sh [--check]" >&2
    exit 2
    ;;
esac
root=${HCR_ROOT:-}

refuse() {
    echo "install.sh: $1" >&2
    exit 1
}

do_it() {
    echo "+ $*"
    [ $check = yes ] || "$@"
}

[ "$(uname -m)" = aarch64 ] || refuse "this is $(uname -m), not a Jetson: on a PC, pip install numpy pillow onnxruntime is all"
[ -r "$root/etc/nv_tegra_release" ] || refuse "there is no /etc/nv_tegra_release: this is not a Jetson with JetPack"
release=$(sed -n 's/^# R\([0-9]*\) (release), REVISION: \([0-9.]*\).*/\1.\2/p' "$root/etc/nv_tegra_release")

case $release in
32.7*) ;; # JetPack 4.6.x: Python 3.6
36.*) ;;  # JetPack 6: Python 3.10
*) refuse "L4T $release is neither 32.7 (JetPack 4.6.x) nor 36 (JetPack 6): flash one of these, see README.md" ;;
esac

sudo=sudo
[ "$(id -u)" = 0 ] && sudo=
do_it $sudo apt-get update
do_it $sudo apt-get install --yes --no-install-recommends python3-pip python3-yaml python3-libnvinfer libnvinfer-bin

case $release in
32.7*)
    # pip 9 of Ubuntu 18.04 knows no manylinux2014 wheels and would compile for hours; 21.3.1 is the last for Python 3.6.
    do_it python3 -m pip install --user "pip==21.3.1"
    # These have wheels for cp36 on aarch64. numpy 1.19.5 stops with "Illegal instruction" unless it is told the processor.
    do_it env OPENBLAS_CORETYPE=ARMV8 python3 -m pip install --user numpy==1.19.5 pillow==8.4.0 onnxruntime==1.10.0 \
        flask==2.0.3 waitress==2.0.0 prometheus-client==0.17.1
    line='export OPENBLAS_CORETYPE=ARMV8'
    profile=$HOME/.profile
    if ! grep -qsF "$line" "$profile"; then
        echo "+ echo '$line' >> $profile"
        [ $check = yes ] || echo "$line" >>"$profile"
    fi
    ;;
36.*)
    do_it python3 -m pip install --user "numpy<2" pillow onnxruntime ai-edge-litert flask waitress prometheus-client
    ;;
esac
echo "Ready. Log in again (for ~/.profile), then: python3 $(dirname "$0")/benchmark.py BUNDLE"
