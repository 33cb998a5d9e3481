#!/usr/bin/env bash
# Installs what `make test-stack` runs beside the project: PostgreSQL, two S3 servers, Airflow in an environment of its own.
# Usage: install.sh FOLDER PYTHON. What is there already is left alone.
set -euo pipefail
folder=$1
python=$2
lock=$(cd "$(dirname "$0")/../.." && pwd)/dags/requirements.lock

missing=()
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null || missing+=(postgresql)
command -v wget >/dev/null || missing+=(wget)
command -v curl >/dev/null || missing+=(curl)
if [ ${#missing[@]} -gt 0 ]; then
    [ "$(id -u)" = 0 ] || { echo "error: not installed: ${missing[*]}"; echo "  fix: install them, or run this as root"; exit 1; }
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}"
fi
command -v go >/dev/null || { echo "error: there is no Go"; echo "  fix: install Go 1.24 or newer"; exit 1; }

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
for server in github.com/versity/versitygw/cmd/versitygw@v1.8.0 github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c; do
    name=$(basename "${server%@*}")
    if [ ! -x "$folder/$name-${server#*@}" ]; then
        echo "building $name ${server#*@} (once, a minute or two)"
        GOBIN="$folder" go install "$server"
        mv "$folder/$name" "$folder/$name-${server#*@}"
    fi
    ln -sf "$name-${server#*@}" "$folder/$name"
done

stamp=$(sha256sum "$lock" | cut -c1-16)
if [ ! -e "$folder/airflow/.ready-$stamp" ]; then
    echo "installing Airflow in an environment of its own (once, a minute or two)"
    "$python" -m venv --clear "$folder/airflow"
    "$folder/airflow/bin/pip" install -q --disable-pip-version-check --no-deps --require-hashes -r "$lock"
    "$folder/airflow/bin/pip" check --disable-pip-version-check
    touch "$folder/airflow/.ready-$stamp"
fi
