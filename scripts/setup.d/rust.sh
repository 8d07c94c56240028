# Sourced by scripts/setup: a Rust toolchain with a WebAssembly target, and the tools that are compiled with it.

rust_wanted=1.96.0 # cargo-leptos needs it, for `make dev`; Debian's packages have it
cargo_leptos_wanted=0.3.11
cargo_deny_wanted=0.20.2

# usable_rust: true when the rustc in use (see RUSTUP_TOOLCHAIN) is new enough and has std for WebAssembly.
usable_rust() {
    local version
    version=$(rustc --version 2>/dev/null | cut -d' ' -f2) || return 1
    at_least "$rust_wanted" "$version" || return 1
    compgen -G "$(rustc --print target-libdir --target wasm32-unknown-unknown)/libstd-*.rlib" >/dev/null
}

# use_toolchain NAME: chooses that one ("" is rustup's default) if it is usable.
use_toolchain() {
    if [ -z "$1" ]; then
        usable_rust
    else
        rustup toolchain list | grep -q "^$1\b" && RUSTUP_TOOLCHAIN=$1 usable_rust && export RUSTUP_TOOLCHAIN="$1"
    fi
}

# What rustup itself can give: the target for a toolchain that is new enough, or a whole toolchain beside the others.
rust_from_rustup() {
    # Asked first, because rustup tries an unreachable server for minutes.
    if has curl; then
        curl -fsSI --max-time 10 "${RUSTUP_DIST_SERVER:-https://static.rust-lang.org}/dist/channel-rust-$rust_wanted.toml.sha256" >/dev/null || return 1
    fi
    if at_least "$rust_wanted" "$(rustc --version | cut -d' ' -f2)"; then
        rustup target add wasm32-unknown-unknown
    else
        rustup toolchain install "$rust_wanted" --no-self-update --profile minimal -c clippy -c rustfmt -t wasm32-unknown-unknown
    fi
}

# Leaves RUSTUP_TOOLCHAIN set (and exported) when another toolchain than the default is to be used.
choose_toolchain() {
    local toolchain
    usable_rust && return
    if has rustup; then
        # What an earlier run chose is gone or unfinished.
        unset RUSTUP_TOOLCHAIN
        for toolchain in "" "$rust_wanted" debian; do
            use_toolchain "$toolchain" && return
        done
        if step "Rust $rust_wanted with WebAssembly from rustup" "1 min" rust_from_rustup; then
            for toolchain in "" "$rust_wanted"; do
                use_toolchain "$toolchain" && return
            done
        fi
        echo "setup: taking Rust from Debian's packages instead, because rustup's server did not give it."
    fi
    is_debian || fail "Rust $rust_wanted with the target wasm32-unknown-unknown is needed. Install rustup from https://rustup.rs, then run this again."
    can_install_system_packages "rustc-web cargo-web rust-web-src rust-web-clippy rustfmt-web lld-22"
    step "Rust from Debian" "30 s" rust_from_debian
    has rustup && export RUSTUP_TOOLCHAIN=debian
    step "std for WebAssembly" "30 s" wasm_std_from_source
    usable_rust || fail "Rust from Debian's packages still cannot build WebAssembly. The logs are in .tools/log."
}

rust_from_debian() {
    as_root apt-get update -qq
    [ -n "$(apt-cache search --names-only '^rustc-web$')" ] || {
        echo "This Debian has no package rustc-web (Debian 12 has, in its security archive). Install rustup from https://rustup.rs."
        return 1
    }
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 \
        rustc-web cargo-web rust-web-src rust-web-clippy rustfmt-web lld-22
    if has rustup; then rustup toolchain link debian /usr; fi
    # Rustc's own name for the linker of WebAssembly. Debian has the linker, not the name.
    local lib
    lib=$(/usr/bin/rustc --print target-libdir)
    as_root mkdir -p "${lib%/lib}/bin"
    as_root ln -sf /usr/bin/lld-22 "${lib%/lib}/bin/rust-lld"
}

# Debian ships the source of std but no build of it for WebAssembly.
wasm_std_from_source() {
    local work=.tools/wasm-std libdir
    libdir=$(rustc --print target-libdir --target wasm32-unknown-unknown)
    rm -rf "$work" && mkdir -p "$work/src"
    printf '[package]\nname = "wasm-std"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n' >"$work/Cargo.toml"
    : >"$work/src/lib.rs"
    (cd "$work" && env -u CARGO_BUILD_RUSTFLAGS -u RUSTFLAGS CARGO_ENCODED_RUSTFLAGS= CARGO_TARGET_DIR=target RUSTC_BOOTSTRAP=1 \
        cargo build --release -Z build-std=std,panic_abort --target wasm32-unknown-unknown) || return 1
    as_root mkdir -p "$libdir"
    find "$work/target/wasm32-unknown-unknown/release/deps" -name '*.rlib' ! -name 'libwasm_std-*' -exec cp -t "$work" {} +
    as_root cp "$work"/*.rlib "$libdir/"
    rm -rf "$work"
}

# cargo_install NAME VERSION [CARGO ARGUMENT…]: into .tools/bin. An interrupted build goes on where it was.
cargo_install() {
    local name=$1 version=$2
    shift 2
    if [ "$(uname -s)" = Linux ]; then export RUSTFLAGS="-C linker=$root/scripts/linker"; fi
    CARGO_TARGET_DIR="$root/.tools/build/$name" cargo install "$name" --version "$version" --root "$root/.tools" --force "$@" || return 1
    rm -rf "$root/.tools/build/$name"
}

# is_version COMMAND VERSION: true when `COMMAND --version` ends its first line with that version.
is_version() { [ "$("$1" --version 2>/dev/null | head -n 1 | cut -d' ' -f2)" = "$2" ]; }

# Unoptimised: it starts other programs and compresses some files, and an optimised build takes 20 minutes.
cargo_leptos() {
    is_version cargo-leptos "$cargo_leptos_wanted" && return
    CARGO_PROFILE_DEV_DEBUG=0 step "cargo-leptos $cargo_leptos_wanted" "6 min on two cores" \
        cargo_install cargo-leptos "$cargo_leptos_wanted" --locked --debug
}

# Must have the version of the library in Cargo.lock, to the last digit.
wasm_bindgen() {
    local wanted
    wanted=$(sed -n '/^name = "wasm-bindgen"$/{n;s/^version = "\(.*\)"$/\1/p;}' Cargo.lock)
    is_version wasm-bindgen "$wanted" && return
    CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        step "wasm-bindgen $wanted" "2 min on two cores" install_wasm_bindgen "$wanted"
}

# A mirror of crates.io may lack a version that the tool's own lock file names; newer ones do as well.
install_wasm_bindgen() { cargo_install wasm-bindgen-cli "$1" --locked || cargo_install wasm-bindgen-cli "$1"; }

cargo_deny() {
    is_version cargo-deny "$cargo_deny_wanted" && return
    CARGO_PROFILE_DEV_DEBUG=0 step "cargo-deny $cargo_deny_wanted" "3 min on two cores" \
        cargo_install cargo-deny "$cargo_deny_wanted" --locked --debug
}

# Lint needs two components that a minimal toolchain of rustup lacks.
lint_components() {
    cargo clippy --version >/dev/null 2>&1 && cargo fmt --version >/dev/null 2>&1 && return
    has rustup || fail "cargo clippy and cargo fmt are needed for lint and were not found. Install them with your Rust toolchain, then run this again."
    step "clippy and rustfmt" "20 s" rustup component add clippy rustfmt
}

write_env() {
    local postgres chromium sshd path="$root/.venv/bin:$root/.tools/bin:$root/node_modules/.bin"
    postgres=$(find_postgres)
    chromium=$(find_chromium)
    sshd=$(find_sshd)
    [ -z "$postgres" ] || has initdb || path+=":$postgres"
    {
        echo "# Written by scripts/setup; read by make and the scripts."
        [ -z "${RUSTUP_TOOLCHAIN:-}" ] || echo "export RUSTUP_TOOLCHAIN='$RUSTUP_TOOLCHAIN'"
        [ -z "$chromium" ] || echo "export CHROMIUM='$chromium'"
        echo "export PATH='$path':\"\$PATH\"${sshd:+:'${sshd%/*}'}"
    } >.tools/env.new
    mv .tools/env.new .tools/env
}
