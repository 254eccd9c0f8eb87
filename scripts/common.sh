# shellcheck shell=bash
# What the scripts share; to be sourced from the project's directory.

say() {
    printf '\n== %s\n' "$*"
}

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# Where fetched tools stay between runs. What root starts runs Asterisk as an ordinary user, who could not reach it below
# root's home.
cache_directory() {
    local directory=${XDG_CACHE_HOME:-$HOME/.cache}/switchyard-test
    if ((EUID == 0)); then
        directory=/var/cache/switchyard-test
    fi
    (umask 022 && mkdir -p "$directory")
    echo "$directory"
}

# Leaves the path of an Asterisk in SWITCHYARD_TEST_ASTERISK: of the one on the PATH, or of one that is fetched once.
find_asterisk() { # cache directory
    if ! SWITCHYARD_TEST_ASTERISK=$(command -v asterisk); then
        scripts/get-asterisk "$1/asterisk"
        SWITCHYARD_TEST_ASTERISK=$1/asterisk/bin/asterisk
    fi
    export SWITCHYARD_TEST_ASTERISK
}
