#!/bin/sh
# Builds the image for PLATFORM and pushes it to REPOSITORY by its digest, without any name.
set -eu
cd "$(dirname "$0")/../.."
npm run image -- --platform "$PLATFORM" --push "$REPOSITORY"
