#!/bin/sh
# Builds the Debian package: the program, then with the program itself its
# manual pages and completions, then the package around them. Needs cargo-deb
# (cargo install cargo-deb) and, for the dependencies' versions, dpkg-dev.
#
#   packaging/deb.sh                                     for this machine
#   packaging/deb.sh --target x86_64-unknown-linux-musl  static, for any Linux
#
# The package's path is printed last.
set -eu
cd "$(dirname "$0")/.."

target="${CARGO_TARGET_DIR:-target}"
folder=release
if [ "${1:-}" = --target ]; then
  folder="$2/release"
fi
cargo build --release --locked "$@"
program="$target/$folder/storemirror"

# cargo-deb finds its files below target/, wherever cargo builds
made=target/packaging
rm -rf "$made"
mkdir -p "$made/completions"
"$program" --quiet man "$made/man"
"$program" completions bash >"$made/completions/storemirror.bash"
"$program" completions zsh >"$made/completions/_storemirror"
"$program" completions fish >"$made/completions/storemirror.fish"

cargo deb --no-build --locked "$@"
