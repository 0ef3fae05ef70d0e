#!/bin/sh
# Starts the S3 server on port 7070. It takes its keys from the environment only, so they are put there from the secrets.
set -eu
umask 077
# A bucket is a folder.
mkdir -p "/srv/objects/$BUCKET"
ROOT_ACCESS_KEY=$(cat /run/secrets/s3-access-key-id)
ROOT_SECRET_KEY=$(cat /run/secrets/s3-secret-access-key)
export ROOT_ACCESS_KEY ROOT_SECRET_KEY
exec versitygw --port :7070 --health /health posix /srv/objects
