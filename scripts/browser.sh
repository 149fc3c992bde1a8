#!/usr/bin/env bash
# Have Chromium for the tests of the report page: scripts/browser.sh. Without it they skip, with the reason.
set -u
command -v chromium >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -q >/dev/null && apt-get install -yq --no-install-recommends chromium >/dev/null
fi
command -v chromium >/dev/null || echo "no chromium: the tests of the report page will skip (apt-get install chromium)"
exit 0
