# Steps of an agent's installation that must be atomic. Runs on the host: sh -s -- STEP FOLDER ATTEMPT … , this text on
# standard input. POSIX sh with coreutils (or BusyBox), tar and the host's package manager. Arguments were checked by the role.
# facts.sh comes before it. On refusal: one sentence on stderr, exit 1.
#
# Environment: SLIPWAY_ROOT (folder below which everything lies; empty is /), SLIPWAY_CONFIG (folder of datadog.yaml),
# SLIPWAY_PROGRAM (the agent's program inside a tarball), SLIPWAY_OWNER (who owns the configuration). No secret passes through
# arguments, environment or output: what the agent says about itself is read here, and only versions and verdicts are told.
set -eu
umask 077

refuse() {
    printf '%s\n' "$*" >&2
    exit 1
}

# ---- What is here

# With a root of its own the package manager keeps its books there, and needs no root user.
debian() {
    if [ -n "$base" ]; then set -- --force-not-root --force-bad-path "$@"; fi
    LC_ALL=C dpkg ${base:+--root="$base"} "$@"
}

apt() {
    tool=$1
    shift
    if [ -n "$base" ]; then
        set -- -o Dir="$base/" -o Dir::State::status="$base/var/lib/dpkg/status" -o APT::Sandbox::User=root \
            -o Dpkg::Options::="--root=$base" -o Dpkg::Options::=--force-not-root -o Dpkg::Options::=--force-bad-path "$@"
    fi
    DEBIAN_FRONTEND=noninteractive LC_ALL=C "$tool" -q -o Dpkg::Options::=--force-confold "$@"
}

family() {
    for tool in apt-get dnf yum; do
        if command -v "$tool" >/dev/null; then
            echo "$tool"
            return
        fi
    done
    echo none
}

# Sets kind (none, tarball, deb, rpm, unknown), version and state, by what the host's own books say.
examine() {
    kind=none version='' state=''
    if [ -L "$folder/current" ]; then
        kind=tarball version=$(basename "$(readlink "$folder/current")") state=installed
        return
    fi
    if command -v dpkg-query >/dev/null; then
        said=$(LC_ALL=C dpkg-query ${base:+--admindir="$base/var/lib/dpkg"} -W -f '${db:Status-Status} ${Version}\n' datadog-agent 2>/dev/null) || said=''
        case "$said" in
        '' | not-installed* | config-files*) ;;
        *) kind=deb state=${said%% *} version=${said#* } ;;
        esac
    fi
    if [ "$kind" = none ] && command -v rpm >/dev/null; then
        if said=$(LC_ALL=C rpm ${base:+--root "$base"} -q --qf '%{VERSION}\n' datadog-agent 2>/dev/null); then
            kind=rpm state=installed version=$said
        fi
    fi
    version=${version#*:} # without the packager's epoch and revision
    version=${version%-*}
    if [ "$kind" = none ] && [ -e "$base/usr/bin/datadog-agent" ]; then kind=unknown; fi
}

program() {
    if [ "$kind" = tarball ]; then echo "$folder/current/$SLIPWAY_PROGRAM"; else echo "$base/usr/bin/datadog-agent"; fi
}

# The version a program tells: "Agent 7.50.1 - Commit: … - Serialization version: … - Go version: …".
told() {
    timeout 20 "$1" version 2>/dev/null </dev/null | sed -n 's/^Agent \([0-9][0-9A-Za-z.+~-]*\) - .*/\1/p' | head -n 1
}

# The version of the process that runs, by its own status: "Agent (v7.50.1)". Nothing when it does not answer.
running() {
    answer=$(timeout 20 "$(program)" status -c "$SLIPWAY_CONFIG" 2>/dev/null </dev/null) || return 0
    printf '%s\n' "$answer" | sed -n 's/^ *Agent (v\([0-9][0-9A-Za-z.+~-]*\)).*/\1/p' | head -n 1
}

content() { cat "$1" 2>/dev/null || true; }

# ask PYTHON: read-only. One NAME=VALUE per line, of the agent and of the host.
ask() {
    examine
    facts "$1"
    echo "family=$(family)"
    echo "kind=$kind"
    echo "installed=$version"
    echo "by=$(content "$books/installed")"
    echo "unfinished=$(content "$books/unfinished")"
    if [ "$kind" = none ]; then return; fi
    echo "told=$(told "$(program)")"
    echo "running=$(running)"
}

# checks: asks the agent that runs whether it could take over its checks. It answers for itself only when it runs.
checks() {
    examine
    answer=$(timeout 60 "$(program)" configcheck -c "$SLIPWAY_CONFIG" 2>/dev/null </dev/null) || refuse "the agent's own configcheck failed"
    # The words may have colours between them. What follows them may hold passwords, so it is not told.
    case "$answer" in
    *"=== Configuration "*errors*"==="*) refuse "the agent's own configcheck names errors in the checks" ;;
    esac
}

# ---- Taking an attempt

# Whether a repository of the host offers a version. What is only installed does not count.
offered() {
    case "$1 $(family)" in
    'deb apt-get') apt apt-cache madison datadog-agent 2>/dev/null | grep -qF "| 1:$2-1 |" ;;
    'rpm dnf') [ -n "$(dnf -q ${base:+--installroot="$base"} repoquery "datadog-agent-$2-1" 2>/dev/null)" ] ;;
    'rpm yum') yum -q ${base:+--installroot="$base"} --showduplicates list available "datadog-agent-$2-1" >/dev/null 2>&1 ;;
    *) false ;;
    esac
}

# A version that can be installed here again: unpacked, kept, or offered by a repository of the host.
available() {
    case "$1" in
    none) ;;
    tarball) [ -d "$folder/releases/$2" ] ;;
    deb | rpm) [ -f "$folder/packages/$2.$1" ] || offered "$1" "$2" ;;
    *) false ;;
    esac
}

# Configuration is never written or read through a link: whoever may write the agent's folder could point it anywhere.
no_links() {
    for path in "$SLIPWAY_CONFIG" "$SLIPWAY_CONFIG/datadog.yaml" "$SLIPWAY_CONFIG/conf.d" "$SLIPWAY_CONFIG"/conf.d/*.d "$SLIPWAY_CONFIG"/conf.d/*.d/conf.yaml; do
        if [ -L "$path" ]; then
            refuse "$path is a symbolic link. Configuration is not written through links. Put a real file or folder there, then start a new attempt."
        fi
    done
}

# save FOLDER: a copy of the configuration as it is, and of the names of the checks that Slipway wrote.
save() {
    no_links
    mkdir -p "$1/conf.d"
    if [ -f "$SLIPWAY_CONFIG/datadog.yaml" ]; then cp -pP "$SLIPWAY_CONFIG/datadog.yaml" "$1/"; fi
    for file in "$SLIPWAY_CONFIG"/conf.d/*.d/conf.yaml; do
        [ -f "$file" ] || continue
        name=$(basename "$(dirname "$file")")
        mkdir "$1/conf.d/$name"
        cp -pP "$file" "$1/conf.d/$name/"
    done
    content "$books/managed" >"$1/managed"
}

# What would keep an attempt from being taken, and can be seen without writing.
fit() {
    if [ -e "$folder/current" ] && [ ! -L "$folder/current" ]; then
        refuse "$folder/current is not a symbolic link, so it was not put there by Slipway. Move it away, then start a new attempt."
    fi
    if [ -e "$mine" ]; then
        refuse "This host has already taken attempt $attempt and takes none twice. See that attempt's log for what it did, then start a new one."
    fi
}

no_place() {
    refuse "Folders below $folder cannot be made by $(id -un). Create $folder for that user, or set ansible_become for this host."
}

# possible WHAT KIND VERSION ROLLOUT: refuses what could not be done or not be taken back. A rollback prints what was noted. Sets
# known: whether what was here before ROLLOUT is noted already.
possible() {
    record="$books/rollouts/$4"
    latest=$(content "$books/latest")
    known=no
    if [ -d "$record" ] && [ "$latest" = "$4" ]; then known=yes; fi
    examine
    if [ "$1" = rollback ]; then
        [ -d "$record" ] || refuse "This host has no note of rollout $4, so it was not changed by it and there is nothing to take back. Nothing was changed."
        if [ "$latest" != "$4" ] && [ "$latest" != "$(content "$record/after")" ]; then
            refuse "A later rollout, $latest, changed this host after $4. Nothing was changed. Roll that one back first."
        fi
        to=$(content "$record/version")
        if [ -n "$3" ] && [ "$3" != "${to:-absent}" ]; then
            refuse "Before rollout $4 this host had ${to:-no agent}, not $3. Nothing was changed. Roll back without slipway_rollback_to, or deploy $3."
        fi
        available "$(content "$record/kind")" "$to" || [ "$version" = "$to" ] ||
            refuse "Datadog agent $to, which ran here before, is neither kept below $folder nor offered by a repository of this host. Nothing was changed. Deploy $to with its artefact."
        echo "kind=$(content "$record/kind")"
        echo "version=$to"
        echo "done=$([ "$latest" = "$4" ] || echo yes)"
        return
    fi
    if [ "$kind" = unknown ]; then
        refuse "There is a $base/usr/bin/datadog-agent that no package owns, so this host could not be taken back to it. Nothing was changed. Remove it, then start a new attempt."
    fi
    if [ "$1" = deploy ] && [ "$kind" != none ] && [ "$kind" != "$2" ]; then
        refuse "The agent here is installed as a $kind, not as a $2. Nothing was changed. Run remove-datadog.yml first, or roll out a $kind."
    fi
    if [ "$1" = deploy ] && [ "$known" = no ] && [ "$version" != "$3" ] && ! available "$kind" "$version"; then
        refuse "Datadog agent $version is installed here, but it is neither kept below $folder nor offered by a repository of this host," \
            "so this host could not be taken back to it. Nothing was changed. Roll out $version here first, then start a new attempt."
    fi
}

# look WHAT KIND VERSION ROLLOUT: what a claim would say, refusals among it; writes nothing.
look() {
    fit
    place="$books/attempts"
    until [ -e "$place" ]; do place=$(dirname "$place"); done
    { [ -d "$place" ] && [ -w "$place" ]; } || no_place
    possible "$@"
    no_links
}

# claim WHAT KIND VERSION ROLLOUT [CHECK]...: takes the attempt, which no host does twice, and notes what was here before the
# rollout. WHAT is deploy, remove or rollback. A deploy makes room for the configurations of the CHECKs.
claim() {
    fit
    # The agent's own user has to reach a tarball below the folder, but not the books, which hold the key.
    { (umask 022 && mkdir -p "$folder") && mkdir -p "$books/attempts" "$books/rollouts"; } || no_place
    chmod 700 "$books"
    if ! mkdir "$mine"; then
        fit # somebody else may have taken it meanwhile
        refuse "$books/attempts cannot be written. Check its owner and the free space."
    fi
    # What attempts that were killed left behind; one still at work fails by this, as it should.
    rm -rf -- "$folder"/releases/.*-*-*-*-* "$books"/rollouts/.*-*-*-*-* "$books"/attempts/*/artifact "$books"/attempts/*/artifact.* \
        "$books"/attempts/*/config || true
    possible "$@"
    what=$1
    shift 4
    if [ "$what" = deploy ]; then
        mkdir -p "$mine/config/conf.d"
        : >"$mine/config/managed"
        for name; do
            mkdir "$mine/config/conf.d/$name.d"
            printf '%s\n' "$name" >>"$mine/config/managed"
        done
    fi
    if [ "$what" = rollback ] || [ "$known" = yes ]; then return; fi
    # The note appears by one rename, complete, before anything is changed. One that is there already is of an attempt that changed
    # nothing or was taken back, and of what was here then.
    fresh="$books/rollouts/.$attempt"
    mkdir "$fresh"
    printf '%s\n' "$kind" >"$fresh/kind"
    printf '%s\n' "$version" >"$fresh/version"
    content "$books/latest" >"$fresh/after"
    save "$fresh/config"
    rm -rf -- "$record"
    mv -T "$fresh" "$record"
}

# configuration ROLLOUT [CHECK]...: for a dry run, what is configured by Slipway or would be, one "now NAME BASE64" per file; with a
# ROLLOUT that is not "-", one "then NAME BASE64" per file of before it. Holds secrets: whoever asks must not tell it further.
configuration() {
    no_links
    record="$books/rollouts/$1/config"
    shift
    for name in datadog.yaml $( (content "$books/managed"; content "$record/managed"; printf '%s\n' "$@") | LC_ALL=C sort -u); do
        file=$name
        [ "$name" = datadog.yaml ] || file="conf.d/$name.d/conf.yaml"
        if [ -f "$SLIPWAY_CONFIG/$file" ]; then echo "now $file $(base64 -w 0 "$SLIPWAY_CONFIG/$file")"; fi
        if [ -f "$record/$file" ]; then echo "then $file $(base64 -w 0 "$record/$file")"; fi
    done
}

# same KIND VERSION SHA256: what is kept as VERSION already must have come from the wanted artefact. Prints whether it is kept.
same() {
    if [ "$1" = tarball ]; then kept="$folder/releases/$2" known="$kept/.slipway-sha256"; else kept="$folder/packages/$2.$1" known="$kept.sha256"; fi
    if [ ! -e "$kept" ]; then
        echo absent
        return
    fi
    [ "$(content "$known")" = "$3" ] ||
        refuse "$kept came from another artefact (sha256 $(content "$known"), wanted $3). Nothing was changed. Give changed content a new version, or remove $kept if nothing uses it."
    echo present
}

# ---- Changing things

# keep KIND VERSION SHA256 NAME: what was brought is verified, and stays for the way back. Nothing that runs is touched.
keep() {
    artifact="$mine/artifact"
    fresh="$folder/releases/.$attempt"
    trap 'rm -rf -- "$fresh" "$artifact" "$artifact.$1"' EXIT
    trap 'exit 1' HUP INT TERM
    found=$(sha256sum <"$artifact")
    found=${found%% *}
    [ "$found" = "$3" ] ||
        refuse "The checksum of artefact $4 is wrong: expected sha256 $3, found $found. Nothing was changed. Publish the artefact again or correct the checksum, then start a new attempt."
    same "$@"
    if [ -e "$kept" ]; then return; fi
    case "$1" in
    tarball)
        mkdir -p "$folder/releases"
        mkdir "$fresh"
        tar -xzf "$artifact" -C "$fresh" --no-same-owner --no-same-permissions ||
            refuse "Artefact $4 cannot be unpacked below $folder. Nothing was changed. Check that it is a .tar.gz and that the disk has room, then start a new attempt."
        # Others run the agent: what root unpacks with a narrow umask would be of no use to them.
        chmod -R go+rX "$fresh"
        inside=$(told "$fresh/$SLIPWAY_PROGRAM")
        ;;
    deb) inside=$(dpkg-deb -f "$artifact" Package) inside="$inside $(dpkg-deb -f "$artifact" Version)" ;;
    rpm) inside=$(rpm -qp --nosignature --qf '%{NAME} %{VERSION}' "$artifact") ;;
    esac
    if [ "$1" != tarball ]; then
        name=${inside%% *} inside=${inside#* }
        inside=${inside#*:}
        inside=${inside%-*}
        [ "$name" = datadog-agent ] || inside="of package $name"
    fi
    [ "$inside" = "$2" ] ||
        refuse "Artefact $4 is not Datadog agent $2: it says ${inside:-nothing about its version}. Nothing was changed. Correct slipway_version or the artefact, then start a new attempt."
    if [ "$1" = tarball ]; then
        printf '%s\n' "$3" >"$fresh/.slipway-sha256"
        touch "$fresh"
        chmod 755 "$folder/releases" "$fresh"
        mv -T "$fresh" "$kept"
    else
        mkdir -p "$folder/packages"
        printf '%s\n' "$3" >"$known"
        mv -T "$artifact" "$kept"
    fi
    echo kept
}

# From here on the host is no longer as it was: a run that is killed leaves this, and nothing is taken for in place.
begin() {
    printf '%s\n' "$attempt" >"$books/unfinished"
    printf '%s\n' "$1" >"$books/latest.$attempt"
    mv -T "$books/latest.$attempt" "$books/latest"
}

books_of_packages() {
    if [ -z "$base" ]; then return; fi
    mkdir -p "$base/var/lib/dpkg/updates" "$base/var/lib/dpkg/info" "$base/var/log" "$base/etc/apt/preferences.d" \
        "$base/var/lib/apt/lists/partial" "$base/var/cache/apt/archives/partial"
    [ -e "$base/var/lib/dpkg/status" ] || : >"$base/var/lib/dpkg/status"
}

# put_in KIND VERSION SOURCE: its last command tells whether it worked, as `set -e` does not hold where that is asked.
put_in() (
    umask 022
    case "$1" in
    tarball)
        [ -d "$folder/releases/$2" ] || refuse "There is no $folder/releases/$2. Nothing was switched. Deploy $2 with its artefact."
        ln -sfn "releases/$2" "$books/current.$attempt" && mv -T "$books/current.$attempt" "$folder/current"
        ;;
    deb)
        books_of_packages
        if [ "$3" != repository ] && [ -f "$folder/packages/$2.deb" ]; then
            debian --force-downgrade -i "$folder/packages/$2.deb"
        else
            apt apt-get install -y --allow-downgrades --no-install-recommends "datadog-agent=1:$2-1"
        fi
        ;;
    rpm)
        if [ "$3" != repository ] && [ -f "$folder/packages/$2.rpm" ]; then
            rpm ${base:+--root "$base"} -U --oldpackage --replacepkgs "$folder/packages/$2.rpm"
        else
            # yum does not install what is older than what is there.
            how=install
            if [ -n "$version" ] && [ "$version" != "$2" ] && [ "$(printf '%s\n%s\n' "$version" "$2" | sort -V | head -n 1)" = "$2" ]; then how=downgrade; fi
            "$(family)" -y -q ${base:+--installroot="$base"} "$how" "datadog-agent-$2-1"
        fi
        ;;
    esac
)

# take_out: the same about its last command.
take_out() {
    rm -f "$books/installed"
    case "$kind" in
    none) ;;
    tarball) rm -f "$folder/current" ;;
    deb) debian --force-remove-reinstreq -r datadog-agent ;; # an installation that was killed is taken out, too
    rpm) rpm ${base:+--root "$base"} -e datadog-agent ;;
    *) refuse "There is a $base/usr/bin/datadog-agent that no package owns. It was left alone. Remove it by hand." ;;
    esac
}

# install ROLLOUT KIND VERSION CHECKSUM: CHECKSUM is "repository" when a repository vouches for the package.
install() {
    examine
    begin "$1"
    if [ "$version" = "$3" ] && [ "$state" = installed ] && [ "$(content "$books/installed")" = "$2 $3 $4" ]; then
        echo present
        return
    fi
    rm -f "$books/installed"
    put_in "$2" "$3" "$4" >&2 || refuse "Datadog agent $3 could not be installed. What the package manager said is above. Mend that and start a new attempt, or roll back."
    examine
    [ "$version" = "$3" ] || refuse "The package manager installed Datadog agent ${version:-of no version} instead of $3. Look at its repositories and pins, then start a new attempt, or roll back."
    printf '%s\n' "$2 $3 $4" >"$books/installed"
    echo installed
}

# put FILE DESTINATION: readers see the old or the new content, never half of it. Whatever was put in the way of the new file,
# such as a link, is removed and not written through.
put() {
    cp -pP --remove-destination "$1" "$2.slipway-$attempt"
    mv -T "$2.slipway-$attempt" "$2"
}

give() {
    if [ "$(id -u)" = 0 ] && id "$SLIPWAY_OWNER" >/dev/null 2>&1; then chown -h "$SLIPWAY_OWNER:" "$@"; fi
}

folder_for_agent() {
    if [ ! -d "$1" ]; then
        mkdir -p "$1"
        chmod 755 "$1"
        give "$1"
    fi
}

# apply FOLDER: the configuration becomes what is in FOLDER. Touched are datadog.yaml and the checks that Slipway wrote or
# writes; anybody else's checks stay. May be done again after it was interrupted.
apply() {
    no_links
    folder_for_agent "$SLIPWAY_CONFIG"
    folder_for_agent "$SLIPWAY_CONFIG/conf.d"
    names=$( (content "$books/managed"; content "$1/managed") | LC_ALL=C sort -u)
    # Both lists until all is done, so that what an interrupted run wrote is still known.
    printf '%s\n' "$names" | sed '/^$/d' >"$books/managed.$attempt"
    mv -T "$books/managed.$attempt" "$books/managed"
    for name in $names; do
        if [ -f "$1/conf.d/$name.d/conf.yaml" ]; then
            folder_for_agent "$SLIPWAY_CONFIG/conf.d/$name.d"
            put "$1/conf.d/$name.d/conf.yaml" "$SLIPWAY_CONFIG/conf.d/$name.d/conf.yaml"
        else
            rm -f "$SLIPWAY_CONFIG/conf.d/$name.d/conf.yaml"
        fi
    done
    if [ -f "$1/datadog.yaml" ]; then put "$1/datadog.yaml" "$SLIPWAY_CONFIG/datadog.yaml"; else rm -f "$SLIPWAY_CONFIG/datadog.yaml"; fi
    content "$1/managed" >"$books/managed.$attempt"
    mv -T "$books/managed.$attempt" "$books/managed"
}

# compare: whether the configuration that was brought is what is here already.
compare() {
    fresh="$mine/config"
    if cmp -s "$fresh/datadog.yaml" "$SLIPWAY_CONFIG/datadog.yaml" && cmp -s "$fresh/managed" "$books/managed"; then
        for name in $(content "$fresh/managed"); do
            cmp -s "$fresh/conf.d/$name.d/conf.yaml" "$SLIPWAY_CONFIG/conf.d/$name.d/conf.yaml" || { echo differs; return; }
        done
        echo same
    else
        echo differs
    fi
}

# configure: switches to the configuration that was brought. The one before is in the note of the rollout.
configure() {
    give "$mine/config/datadog.yaml"
    for file in "$mine"/config/conf.d/*.d/conf.yaml; do [ ! -f "$file" ] || give "$file"; done
    apply "$mine/config"
}

# restore ROLLOUT: back to the configuration before the rollout, also when an attempt before this one was killed half-way.
# Prints whether there was one.
restore() {
    apply "$books/rollouts/$1/config"
    if [ -f "$SLIPWAY_CONFIG/datadog.yaml" ]; then echo restored; else echo none; fi
}

# back ROLLOUT: the version and the configuration from before the rollout.
back() {
    record="$books/rollouts/$1"
    examine
    printf '%s\n' "$attempt" >"$books/unfinished"
    to=$(content "$record/kind") wanted=$(content "$record/version")
    if [ "$kind" != none ] && [ "$kind" != "$to" ]; then
        take_out >&2 || refuse "The agent could not be removed. What the package manager said is above. Mend that and roll back again."
        examine
    fi
    if [ "$to" != none ] && { [ "$version" != "$wanted" ] || [ "$state" != installed ]; }; then
        rm -f "$books/installed"
        put_in "$to" "$wanted" kept >&2 || refuse "Datadog agent $wanted could not be installed again. What the package manager said is above. Mend that and roll back again."
    fi
    apply "$record/config"
}

# remove ROLLOUT [configuration]: the agent, and when told what it was configured with and what was kept of it.
remove() {
    if [ "${2:-}" = configuration ]; then no_links; fi
    examine
    begin "$1"
    take_out >&2 || refuse "The agent could not be removed. What the package manager said is above. Mend that, then start a new attempt."
    if [ "${2:-}" = configuration ]; then
        rm -rf -- "$SLIPWAY_CONFIG" "$books/rollouts" "$books/managed" "$books/latest" "$folder/packages" "$folder/releases"
    fi
}

# finish KEEP [ROLLOUT]: it is proven. With ROLLOUT, that one is taken back. All but the KEEP newest notes go, and what only they needed.
finish() {
    if [ -n "${2:-}" ] && [ "$(content "$books/latest")" = "$2" ]; then
        cp "$books/rollouts/$2/after" "$books/latest.$attempt"
        mv -T "$books/latest.$attempt" "$books/latest"
    fi
    rm -rf -- "$mine/config"
    rm -f "$books/unfinished"
    examine
    latest=$(content "$books/latest")
    if [ -d "$books/rollouts" ]; then
        ls -1t "$books/rollouts" | tail -n "+$(($1 + 1))" | while IFS= read -r name; do
            [ "$name" = "$latest" ] || rm -rf -- "$books/rollouts/$name"
        done
    fi
    needed=$(cat "$books"/rollouts/*/version 2>/dev/null || true)
    for path in "$folder"/releases/* "$folder"/packages/*.deb "$folder"/packages/*.rpm; do
        [ -e "$path" ] || continue
        name=$(basename "$path")
        name=${name%.deb}
        name=${name%.rpm}
        if [ "$name" != "$version" ] && ! printf '%s\n' "$needed" | grep -qxF "$name"; then rm -rf -- "$path" "$path.sha256"; fi
    done
}

# refresh: what the repository that the role wrote offers; other repositories of the host are not asked.
refresh() {
    case "$(family)" in
    apt-get)
        books_of_packages
        apt apt-get update -o Dir::Etc::sourcelist="$base/etc/apt/sources.list.d/slipway-datadog.list" -o Dir::Etc::sourceparts=- \
            -o APT::Get::List-Cleanup=0 -o APT::Update::Error-Mode=any >&2 ||
            refuse "The package repository could not be read, or is not signed with the given keys. Nothing was installed. Look at what apt-get said above, then start a new attempt."
        ;;
    dnf | yum)
        "$(family)" -y -q ${base:+--installroot="$base"} --disablerepo='*' --enablerepo=slipway-datadog makecache >&2 ||
            refuse "The package repository could not be read, or is not signed with the given keys. Nothing was installed. Look at what the package manager said above, then start a new attempt."
        ;;
    esac
    offered "$1" "$2" || [ "$(family)" = yum ] || # which does not list what is installed already
        refuse "The package repository has no datadog-agent $2-1. Nothing was installed. Choose a version it has, then start a new attempt."
}

step=$1 folder=$2 attempt=$3
shift 3
base=$SLIPWAY_ROOT
books="$folder/.slipway"
mine="$books/attempts/$attempt"
# A user's path may lack the folders that dpkg needs.
PATH="$PATH:/usr/sbin:/sbin"
case "$step" in
ask | look | claim | configuration | same | keep | refresh | install | compare | configure | checks | restore | back | remove | finish) "$step" "$@" </dev/null ;; # standard input is this text
*) refuse "agent.sh does not know the step $step." ;;
esac
