#!/bin/sh
# Checks that the project still works on dbt 1.11: an environment that lays requirements-dbt111.lock over .venv, where the
# project parses without a warning, compiles to the same SQL as on the locked dbt, and passes the tests that need no server.
# Usage: tools/test_dbt111.sh PYTHON-OF-.venv
set -eu
cd "$(dirname "$0")/.."
python=$1
over=.venv-dbt111
stamp=$(cat requirements.lock requirements-dbt111.lock | sha256sum | cut -c1-16)
if [ "$(cat "$over/.ready" 2>/dev/null)" != "$stamp" ]; then
    "$python" -m venv --clear "$over"
    "$over/bin/python" -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements-dbt111.lock
    # what is not in the environment itself is taken from .venv; a site directory also reads the .pth files there
    "$python" -c 'import site; print("import site; site.addsitedir(%r)" % site.getsitepackages()[0])' \
        > "$("$over/bin/python" -c 'import site; print(site.getsitepackages()[0])')/below.pth"
    echo "$stamp" > "$over/.ready"
fi
"$over/bin/python" -c 'from dbt.version import __version__ as found; assert found.startswith("1.11."), found; print("dbt", found)'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DBT_SPARKCONNECT_OFFLINE=1 LAKEHOUSE_HOME="$work" SMART_TRADER_AS_OF=2026-01-31T09:00:00Z SMART_TRADER_RUN_ID=compared
for side in "$python" "$over/bin/python"; do
    name=$(basename "$(dirname "$(dirname "$side")")")
    "$side" -W ignore::RuntimeWarning -m dbt.cli.main --quiet --warn-error parse --no-partial-parse --target-path "$work/$name" --log-path "$work/logs"
    "$side" -W ignore::RuntimeWarning -m dbt.cli.main --quiet compile --select path:models path:tests path:analyses \
        --target-path "$work/$name" --log-path "$work/logs"
done
diff -r "$work/.venv/compiled" "$work/.venv-dbt111/compiled"
echo "the same SQL: $(find "$work/.venv/compiled" -type f | wc -l) files"
unset DBT_SPARKCONNECT_OFFLINE LAKEHOUSE_HOME SMART_TRADER_AS_OF SMART_TRADER_RUN_ID
"$over/bin/python" -m pytest -q adapter/tests/test_offline.py tests/python/test_clock.py
