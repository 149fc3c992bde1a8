#!/usr/bin/env bash
# Have Chromium for the tests of the report page, where it can be installed; they skip, with the reason, without it.
set -u
command -v chromium >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -q >/dev/null && apt-get install -yq --no-install-recommends chromium >/dev/null
fi
command -v chromium >/dev/null || echo "no chromium: tests of the report page will skip (apt-get install chromium)"
exit 0
