#!/bin/sh
# Runs a command that reaches the hosts of an environment by SSH: with-ssh.sh <command> …
# The key (SSH_PRIVATE_KEY) lives in the memory of an agent for as long as the command runs, never in a file. Hosts are
# believed by SSH_KNOWN_HOSTS alone.
set -eu
: "${SSH_PRIVATE_KEY:?the key of the environment is missing}"
: "${SSH_KNOWN_HOSTS:?the host keys of the environment are missing}"

umask 077
mkdir -p "$HOME/.ssh"
printf '%s\n' "$SSH_KNOWN_HOSTS" >> "$HOME/.ssh/known_hosts"

eval "$(ssh-agent -s)" > /dev/null
trap 'ssh-agent -k > /dev/null' EXIT
printf '%s\n' "$SSH_PRIVATE_KEY" | ssh-add -q -
unset SSH_PRIVATE_KEY

"$@"
