#!/bin/sh
# Lays out what is copied over the base image: Node in one layer, which stays the same from release to release, and all the
# rest in another. It runs where the product was built, with the base image below /base. Nothing in the layers depends on
# where or when it runs; SOURCE_DATE_EPOCH is the time of our own files.
set -eu

# Node alone: npm and its packages have no business in production.
node=/layers/node
mkdir -p $node/usr/local/bin
cp /usr/local/bin/node $node/usr/local/bin
chmod 755 $node $node/usr $node/usr/local $node/usr/local/bin $node/usr/local/bin/node
find $node -exec touch --reference=/usr/local/bin/node '{}' +

layer=/layers/app
app=$layer/app
mkdir -p $app/scripts $layer/data/backup-work $layer/etc $layer/usr/local/bin
cd /build
cp --parents --recursive apps/*/package.json apps/*/dist apps/cli/bin packages/db/migrations node_modules LICENSE $app
# Whoever has the image has its manual; bundles for sites without a network take both from here.
cp --parents --recursive CHANGELOG.md docs/operations $app
cp scripts/run.sh $app/scripts
cp deploy/image/entrypoint.sh $layer/usr/local/bin/entrypoint
cp deploy/image/health.sh $layer/usr/local/bin/health
ln -s ../../../app/apps/cli/bin/calculaud $layer/usr/local/bin/calculaud

cd $app
# Our own packages are part of the bundles; much of the rest is for those who work on a package.
rm -rf node_modules/@calculaud node_modules/.bin node_modules/.package-lock.json apps/*/dist/.built
# Served are the style sheet and the script (apps/server/src/docs/routes.ts).
find node_modules/swagger-ui-dist -type f ! -name swagger-ui.css ! -name swagger-ui-bundle.js ! -name package.json \
  ! -name 'LICENSE*' ! -name 'NOTICE*' -delete
find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -iname '*.md' \
  -o -name '*.test.*' -o -name '*.spec.*' \) \
  ! -iname 'licen[cs]e*' ! -iname 'notice*' ! -iname 'copying*' -delete
find node_modules -regextype posix-extended -type d \
  -regex '(.*/)?node_modules/(@[^/]+/)?[^/@]+/(tests?|__tests__|benchmarks?|examples?|docs?)' -prune -exec rm -r '{}' +
find node_modules -name '.*' -prune -exec rm -r '{}' +
find node_modules -type d -empty -delete

cp /base/etc/passwd /base/etc/group $layer/etc
echo 'calculaud:x:10001:10001:Calculaud:/data:/usr/sbin/nologin' >> $layer/etc/passwd
echo 'calculaud:x:10001:' >> $layer/etc/group

chmod -R u=rwX,go=rX $layer
chmod 755 $layer/usr/local/bin/* $app/apps/cli/bin/*
chown -R 0:0 $layer
# A volume that is made on one of these gets its owner.
chown 10001:10001 $layer/data $layer/data/backup-work

# Nobody becomes somebody else in here: programs of the base that could do that lose the right.
cd /base
find . -xdev -type f -perm /6000 -exec cp --parents --preserve=all '{}' $layer ';' -exec chmod a-s $layer/'{}' ';'

find $layer -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" '{}' +
