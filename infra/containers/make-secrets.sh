#!/bin/sh
# Makes the secrets that infra/compose.yaml mounts, in this folder (infra/secrets). Those that are there stay as they are.
set -eu
folder=${1:-$(dirname "$0")/../secrets}

# Nobody else enters the folder; what is mounted out of it is read by users that only the containers know.
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"
umask 022

random() {
  od -An -v -tx1 -N24 /dev/urandom | tr -d ' \n'
}

for name in postgres_password temporal_database_password qdrant_api_key; do
  [ -s "$name" ] || random > "$name"
done
[ -s database_url ] || printf 'postgres://holdfast:%s@postgres:5432/postgres' "$(cat postgres_password)" > database_url
