#!/bin/bash
# Does PgBouncer take connections? What lies behind it is not asked: a restart of the pooler would not mend it.
set -eu
exec 3<>/dev/tcp/127.0.0.1/5432
