#!/usr/bin/env bash
# Makes a root file system with RabbitMQ 4.0 (Debian 13) and prints where it is; about 240 MB, once.
# Only for root: it is entered with chroot. The mirror is the one that this machine's apt uses.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=${XDG_CACHE_HOME:-~/.cache}/bdaysched/rabbitmq-4

if [ "$(id -u)" != 0 ]; then
    echo "RabbitMQ 4.0 is run in a root file system of its own: run this as root" >&2
    exit 1
fi
if ! compgen -G "$folder/usr/lib/rabbitmq/lib/rabbitmq_server-4.*/sbin/rabbitmq-server" >/dev/null
then
    command -v mmdebstrap >/dev/null || bash .ci/apt-install "RabbitMQ 4.0" mmdebstrap >&2
    # shellcheck disable=SC1091,SC2016 # apt-get fills the names in
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
        sed -n "s/ $(. /etc/os-release && echo "$VERSION_CODENAME")\$//p" | head -n 1)
    echo "Making $folder" >&2
    rm -rf "$folder.part" "$folder"
    mkdir -p "$folder.part"
    mmdebstrap --quiet --variant=minbase --include=rabbitmq-server trixie "$folder.part" "$mirror" >&2
    mv "$folder.part" "$folder"
fi
echo "$folder"
