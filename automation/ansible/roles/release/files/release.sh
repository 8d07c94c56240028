# Steps of a release that must be atomic. Runs on the host: sh -s -- STEP ROOT ATTEMPT … , this text on standard input.
# POSIX sh with coreutils (or BusyBox) and tar, and facts.sh before it. Arguments were checked by the role. On refusal: one
# sentence on stderr, exit 1.
set -eu
umask 022

refuse() {
    printf '%s\n' "$*" >&2
    exit 1
}

# Name of the release a link points to; empty when there is none.
linked() {
    if [ -L "$root/$1" ]; then basename "$(readlink "$root/$1")"; fi
}

# The checksum of the artefact that an unpacked release came from.
checksum() {
    cat "$root/releases/$1/.slipway-sha256" 2>/dev/null || echo unknown
}

# What would keep an attempt from being taken, and can be seen without writing.
fit() {
    if [ -e "$root/current" ] && [ ! -L "$root/current" ]; then
        refuse "$root/current is not a symbolic link, so it was not put there by Slipway. Move it away, then start a new attempt."
    fi
    if [ -e "$root/.slipway/attempts/$attempt" ]; then
        refuse "This host has already taken attempt $attempt and takes none twice. See that attempt's log for what it did, then start a new one."
    fi
}

# found VERSION RUNNING PYTHON: whether RUNNING is unpacked here, the checksum of VERSION (empty when it is not unpacked), what
# `current` names (empty when that is nothing), what `previous` names; then what the host is.
found() {
    if [ -n "$2" ] && [ -d "$root/releases/$2" ]; then echo present; else echo absent; fi
    if [ -d "$root/releases/$1" ]; then checksum "$1"; else echo; fi
    # A link that leads nowhere is what an interrupted run may leave.
    if [ -d "$root/current" ]; then linked current; else echo; fi
    if [ -L "$root/previous" ]; then linked previous; else echo; fi
    facts "$3"
}

no_place() {
    refuse "Folders below $root cannot be made by $(id -un). Create $root for that user, or set ansible_become for this host."
}

# look VERSION RUNNING PYTHON: what a claim would say, refusals among it; writes nothing.
look() {
    fit
    place="$root/.slipway/attempts"
    until [ -e "$place" ]; do place=$(dirname "$place"); done
    { [ -d "$place" ] && [ -w "$place" ]; } || no_place
    found "$@"
}

# claim VERSION RUNNING PYTHON: takes the attempt, which no host does twice, and tells what it found.
claim() {
    fit
    mkdir -p "$root/releases" "$root/.slipway/attempts" || no_place
    if ! mkdir "$root/.slipway/attempts/$attempt"; then
        fit # somebody else may have taken it meanwhile
        refuse "$root/.slipway/attempts cannot be written. Check its owner and the free space."
    fi
    # What attempts that were killed left behind; one still at work fails by this, as it should.
    rm -rf -- "$root"/releases/.*-*-*-*-* "$root"/.slipway/attempts/*/artifact || true
    found "$@"
}

# A release that is there already must be the wanted one: same VERSION SHA256.
same() {
    [ "$(checksum "$1")" = "$2" ] ||
        refuse "$root/releases/$1 was unpacked from another artefact (sha256 $(checksum "$1"), wanted $2). Give changed content a new version, or remove that folder if nothing uses it."
}

# A release that is switched to must be there: unpacked VERSION.
unpacked() {
    [ -d "$root/releases/$1" ] || refuse "Release $1 is not on this host: there is no $root/releases/$1, because it was removed or was never installed by Slipway. Nothing was switched. Deploy $1 with its artefact."
}

# unpack VERSION SHA256 NAME: the whole release appears in releases/VERSION by one rename, or nothing does.
unpack() {
    release="$root/releases/$1"
    artifact="$root/.slipway/attempts/$attempt/artifact"
    fresh="$root/releases/.$attempt"
    trap 'rm -rf -- "$fresh" "$artifact"' EXIT
    trap 'exit 1' HUP INT TERM
    if [ -d "$release" ]; then
        same "$1" "$2"
        echo present
        return
    fi
    sum=$(sha256sum <"$artifact")
    sum=${sum%% *}
    [ "$sum" = "$2" ] ||
        refuse "The checksum of artefact $3 is wrong: expected sha256 $2, found $sum. Nothing was changed. Publish the artefact again or correct the checksum, then start a new attempt."
    mkdir "$fresh"
    tar -xzf "$artifact" -C "$fresh" --no-same-owner --no-same-permissions ||
        refuse "Artefact $3 cannot be unpacked below $root. Nothing was kept. Check that it is a .tar.gz and that the disk has room, then start a new attempt."
    printf '%s\n' "$2" >"$fresh/.slipway-sha256"
    touch "$fresh" # the archive may carry an old date, and the oldest releases are removed first
    mv -T "$fresh" "$release"
    echo unpacked
}

# link NAME VERSION: points ROOT/NAME at a release; readers see the old or the new target, never none.
link() {
    ln -sfn "releases/$2" "$root/.slipway/$1.$attempt"
    mv -T "$root/.slipway/$1.$attempt" "$root/$1"
}

# switch VERSION BEFORE KEEP: `current` becomes VERSION and `previous` what it was; then all but the KEEP newest releases
# go, except those that `current`, `previous` and the version seen BEFORE need.
switch() {
    unpacked "$1"
    old=$(linked current)
    if [ "$old" != "$1" ]; then
        if [ -n "$old" ]; then link previous "$old"; fi
        link current "$1"
    fi
    previous=$(linked previous)
    ls -1t "$root/releases" | tail -n "+$(($3 + 1))" | while IFS= read -r name; do
        case "$name" in
        "$1" | "$2" | "$previous") ;;
        *) rm -rf -- "$root/releases/$name" ;;
        esac
    done
    echo "current $1, previous ${previous:-none}"
}

step=$1 root=$2 attempt=$3
shift 3
case "$step" in
look | claim | same | unpacked | unpack | switch) "$step" "$@" </dev/null ;; # standard input is this text: no command may eat it
*) refuse "release.sh does not know the step $step." ;;
esac
