#!/usr/bin/env bash
# Gets what the suite needs of the distribution and this machine lacks; no service is started.
set -euo pipefail
cd "$(dirname "$0")/../.."

compose=${XDG_CACHE_HOME:-~/.cache}/bdaysched/docker-compose
new_cluster=/etc/postgresql-common/createcluster.conf

is_there() { compgen -G "$1" >/dev/null; }
in_distribution() { apt-cache show "$1" >/dev/null 2>&1; }
install() { bash .ci/apt-install "The test suite" "$@"; }

missing=()
bash .ci/python >/dev/null 2>&1 || missing+=(python3 python3-venv)
is_there '/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server' || missing+=(rabbitmq-server)
command -v redis-server >/dev/null || missing+=(redis-server)
command -v openssl >/dev/null || missing+=(openssl)
command -v systemd-analyze >/dev/null || missing+=(systemd)
# For crontab, which checks what it reads; and 100 MB for promtool, without starting the server.
command -v crontab >/dev/null || missing+=(cron)
command -v promtool >/dev/null || missing+=(prometheus)
command -v chromium >/dev/null || missing+=(chromium)
command -v chromedriver >/dev/null || missing+=(chromium-driver)
is_there '/usr/sbin/pgbouncer' || command -v pgbouncer >/dev/null || missing+=(pgbouncer)
if ! is_there /usr/lib/postgresql/15/bin/postgres; then
    if [ "$(id -u)" = 0 ] && ! in_distribution postgresql-15; then
        apt-get -qq update
    fi
    if in_distribution postgresql-15 || ! in_distribution postgresql; then
        missing+=(postgresql-15)
    else
        echo "PostgreSQL 15 is not in this distribution; the tests use the version that is."
        is_there '/usr/lib/postgresql/*/bin/postgres' || missing+=(postgresql)
    fi
fi

if [[ ${missing[*]} == *postgresql* && $(id -u) == 0 ]]; then
    # The server's package makes and starts a cluster of its own unless told not to.
    [ -e $new_cluster ] || install postgresql-common
    before=$(mktemp)
    cp --preserve $new_cluster "$before"
    trap 'cp --preserve "$before" $new_cluster && rm "$before"' EXIT
    echo "create_main_cluster = false" >>$new_cluster
fi
[ ${#missing[@]} = 0 ] || install "${missing[@]}"

# docker-compose.yml needs Compose 2.23.1 for the contents it has inline.
reads_our_file() {
    local version
    version=$("$@" version --short 2>/dev/null) || return 1
    printf '2.23.1\n%s\n' "${version#v}" | sort --check --version-sort 2>/dev/null
}

# Unpacks Debian's package without installing it, from the mirror that this machine uses.
unpack_compose() {
    local here mirror
    here=$(mktemp -d)
    chmod 755 "$here"
    mkdir -p "$here/lists/partial" "$here/cache" "$(dirname "$compose")"
    # shellcheck disable=SC1091,SC2016 # apt-get fills the names in
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
        sed -n "s/ $(. /etc/os-release && echo "$VERSION_CODENAME")\$//p" | head -n 1)
    echo "deb $mirror trixie main" >"$here/sources.list"
    (
        cd "$here"
        apt() {
            apt-get -qq -o APT::Sandbox::User= -o Acquire::Languages=none -o Dir::Cache="$here/cache" \
                -o Dir::State::Lists="$here/lists" -o Dir::Etc::SourceParts=/dev/null \
                -o Dir::Etc::SourceList="$here/sources.list" "$@"
        }
        apt update && apt download docker-compose && dpkg -x docker-compose_*.deb . &&
            mv usr/libexec/docker/cli-plugins/docker-compose "$compose"
    ) >"$here/log" 2>&1 || {
        tail -n 5 "$here/log" >&2
        rm -r "$here"
        return 1
    }
    rm -r "$here"
}

if ! reads_our_file docker compose && ! reads_our_file docker-compose && [ ! -x "$compose" ]; then
    echo "Unpacking docker-compose"
    unpack_compose || {
        echo "The test suite needs Docker Compose 2.23.1 or newer; install it with:" \
            "sudo apt-get install docker-compose (Debian 13) or docker-compose-v2 (Ubuntu)" >&2
        exit 1
    }
fi
