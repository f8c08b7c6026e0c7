#!/usr/bin/env bash
# Installs what the tests need besides Go. It is run before make is known to be there.
set -euo pipefail
missing=()
# Debian keeps PostgreSQL's programs and MariaDB's server out of the PATH.
for dir in /usr/lib/postgresql/*/bin /usr/sbin; do
  PATH="$PATH:$dir"
done
# The first word is a program, the second the package that brings it. initdb, mariadbd and redis-server are for the modules whose tests
# start servers of their own, as prometheus and promtool for otelintram; node, npm, php and javac for the foreign clients, chromium and
# npm for the dashboard of intram serve; man and rpm for the packages of the command; hunspell for the spelling.
for pair in make:make gcc:gcc openssl:openssl curl:curl jq:jq python3:python3 zbarimg:zbar-tools \
  initdb:postgresql mariadbd:mariadb-server redis-server:redis-server prometheus:prometheus promtool:prometheus \
  node:nodejs npm:npm php:php-cli javac:default-jdk-headless chromium:chromium man:man-db rpm:rpm dpkg:dpkg hunspell:hunspell; do
  if ! command -v "${pair%%:*}" >/dev/null; then
    missing+=("${pair#*:}")
  fi
done
# The dictionaries of make spell.
for pair in en_US:hunspell-en-us fr_FR:hunspell-fr-classical; do
  if ! compgen -G "/usr/share/hunspell/${pair%%:*}.dic" >/dev/null; then
    missing+=("${pair#*:}")
  fi
done
if [[ ${#missing[@]} -eq 0 ]]; then
  echo "nothing is missing"
  exit
fi
echo "missing: ${missing[*]}"
if ! command -v apt-get >/dev/null; then
  echo "there is no apt-get here: install them by hand" >&2
  exit 1
fi
root=()
if [[ $(id -u) -ne 0 ]]; then
  root=(sudo)
fi
# gcc needs the C library's headers, which it only recommends.
if [[ " ${missing[*]} " == *" gcc "* ]]; then
  missing+=(libc6-dev)
fi
"${root[@]}" apt-get update -qq
# RUNLEVEL=1: installed is enough, no server is to start on this machine.
"${root[@]}" env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
