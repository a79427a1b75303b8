#!/usr/bin/env bash
# Installs what a build needs and this machine lacks (with apt, as root); otherwise names all of it and stops with 2.
# `ci/deps.sh demo` adds what fetches the demonstration's text, which the demonstration can do without.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

packages=()
command -v g++ >/dev/null || packages+=(g++)
command -v make >/dev/null || packages+=(make)
# bindgen reads RocksDB's header with libclang; libclang-dev, not libclang1, brings clang's own stddef.h.
# libclang-cpp, which other tools bring, is another library.
have_libclang=${LIBCLANG_PATH:-}
for pattern in /usr/lib/llvm-*/lib/libclang /usr/lib/*/libclang; do
    ! compgen -G "$pattern.so*" >/dev/null && ! compgen -G "$pattern-[0-9]*.so*" >/dev/null || have_libclang=true
done
[ -n "$have_libclang" ] || packages+=(libclang-dev)
# cargo fetches crates over HTTPS.
[ -e /etc/ssl/certs/ca-certificates.crt ] || [ -n "${SSL_CERT_FILE:-}" ] || packages+=(ca-certificates)

need_rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$here/../Cargo.toml")
have_rust=$(cargo --version 2>/dev/null | cut -d' ' -f2 || true)
rust=
if [ -z "$have_rust" ] && [ -x "$HOME/.cargo/bin/cargo" ]; then
    # shellcheck disable=SC2016 # to be typed as it stands
    rust='cargo is not in PATH; try: . "$HOME/.cargo/env"'
elif [ "$(printf '%s\n' "$need_rust" "${have_rust:-0}" | sort -V | head -n 1)" != "$need_rust" ]; then
    rust="missing: Rust $need_rust or later (found ${have_rust:-none}), which make does not install
  try: curl --proto '=https' -sSf https://sh.rustup.rs | sh -s -- -y && . \"\$HOME/.cargo/env\""
    command -v curl >/dev/null || packages+=(curl)
fi

extras=()
[ "${1:-}" != demo ] || python3 -m pip --version >/dev/null 2>&1 || extras+=(python3-pip)

as_root=
[ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null && as_root=true
if [ -n "$as_root" ] && [ "$((${#packages[@]} + ${#extras[@]}))" -gt 0 ]; then
    echo "installing: ${packages[*]} ${extras[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    apt-get install -y -qq --no-install-recommends "${packages[@]}" "${extras[@]}" >&2
    packages=()
fi
[ "${#packages[@]}" -eq 0 ] ||
    printf 'missing: %s\n  try: sudo apt-get install %s\n' "${packages[*]}" "${packages[*]}" >&2
[ -z "$rust" ] || printf '%s\n' "$rust" >&2
[ "${#packages[@]}" -eq 0 ] && [ -z "$rust" ] || exit 2
