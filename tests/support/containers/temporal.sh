#!/bin/sh
# As the official image: it listens on the container's own address, and takes its configuration from the environment.
set -eu
BIND_ON_IP="$(getent hosts "$(hostname)" | awk '{ print $1; exit }')"
export BIND_ON_IP
exec temporal-server --root /etc/temporal --config config --env docker start
