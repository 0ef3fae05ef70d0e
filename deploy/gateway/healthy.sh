#!/bin/bash
# Does HAProxy answer? What lies behind it is not asked: a restart of the gateway would not mend it.
set -eu
exec 3<>/dev/tcp/127.0.0.1/8404
printf 'GET /healthy HTTP/1.0\r\n\r\n' >&3
read -r -t 2 status <&3
[[ $status == *" 200 "* ]]
