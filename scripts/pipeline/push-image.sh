#!/bin/sh
# Builds the image NAME for PLATFORM and pushes it to REPOSITORY by its digest, without any name yet.
set -eu
cd "$(dirname "$0")/../.."
npm run image -- "$NAME" --platform "$PLATFORM" --push "$REPOSITORY"
