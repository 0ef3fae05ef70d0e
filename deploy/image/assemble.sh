#!/bin/sh
# Copies what the product consists of from a build (first argument) to the tree that becomes the image (second), with
# nothing in it that depends on where or when this runs. SOURCE_DATE_EPOCH is the time that all files get. The tree holds
# the base's passwd and group already.
set -eu
build=$1
tree=$2
app=$tree/app

mkdir -p "$app/scripts" "$tree/data"
cd "$build"
cp --parents --recursive apps/*/package.json apps/*/dist "$app"
cp --parents --recursive apps/cli/bin packages/db/migrations node_modules LICENSE "$app"
cp scripts/run.sh "$app/scripts"
ln -s ../../../app/apps/cli/bin/calculaud "$tree/usr/local/bin/calculaud"

cd "$app"
# Our own packages are part of the bundles; the rest is for editors, or speaks of the folder it was built in.
rm -rf node_modules/@calculaud node_modules/.bin node_modules/.package-lock.json apps/*/dist/.built
# Served are the style sheet and the script (apps/server/src/docs/routes.ts).
find node_modules/swagger-ui-dist -type f ! -name swagger-ui.css ! -name swagger-ui-bundle.js ! -name package.json \
  ! -name 'LICENSE*' ! -name 'NOTICE*' -delete
find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -iname '*.md' \) \
  ! -iname 'licen[cs]e*' ! -iname 'notice*' ! -iname 'copying*' -delete
find node_modules -type d -empty -delete

echo 'calculaud:x:10001:10001:Calculaud:/data:/usr/sbin/nologin' >> "$tree/etc/passwd"
echo 'calculaud:x:10001:' >> "$tree/etc/group"

chmod -R u=rwX,go=rX "$tree"
chmod 755 "$tree"/usr/local/bin/* "$app/apps/cli/bin"/*
chown -R 0:0 "$tree"
chown 10001:10001 "$tree/data"
find "$tree" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" '{}' +
