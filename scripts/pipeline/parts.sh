#!/bin/sh
# Sourced: the images of a stack beside the application's own, and their versions.

PARTS='gateway pooler storage'
PART_VERSIONS=apps/cli/src/stack/images.ts

# From the text of that file (standard input).
version_of_part() {
  sed -n "s/.*[{ ]$1: '\([^']*\)'[,} ].*/\1/p"
}
