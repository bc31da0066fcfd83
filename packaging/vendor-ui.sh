#!/bin/sh
# Fetches the third-party files of the user interface and writes them to assets/vendor.
#
# For a maintainer, when a version changes; its output is committed, so building Codex Web needs neither this script nor
# Node. Needs npm, tar, python3 with venv, sha256sum. It does three things to the files and nothing else:
#   * imports between packages become relative paths, because import maps are inline scripts and the policy forbids those;
#   * one line of xterm.js sets styles through the object model instead of a style attribute, which the policy blocks;
#   * the icons are cut out of the full set, and the typeface is cut to the weights and letters in use.
set -eu
cd "$(dirname "$0")/.."
target=$PWD/assets/vendor
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

preact=11.2.0 htm=3.1.1 signals=2.11.4 signals_core=1.14.5 xterm=6.0.0 fit=0.11.0 search=0.16.0 web_links=0.12.0 lucide=1.62.0 inter=5.3.0
fonttools=4.60.1

# Those that the home page shows at once, and those that are fetched after it: the first page is weighed.
icons="book-open box boxes chevron-down circle-check circle-stop code coffee container cpu database ellipsis
file-text hexagon house layers layout-grid list list-checks menu notebook-pen play plus rotate-cw
scroll-text search shield-check square-terminal terminal user-round users wifi-off"
more_icons="activity app-window archive arrow-big-up arrow-down arrow-down-to-line arrow-up arrow-up-from-line ban bell check
chevron-left chevron-right chevron-up chevrons-up-down circle-alert circle-dashed circle-question-mark
circle-x copy corner-left-up download ethernet-port external-link eye eye-off file file-archive file-code
file-image file-plus file-symlink folder folder-input folder-plus folder-up git-branch globe history info
key-round link lock lock-open log-out maximize-2 monitor moon network pencil refresh-cw settings shield-off
shield-user sun sun-moon text-wrap trash-2 triangle-alert upload user-check user-minus user-plus user-x x"

fetch() { # NAME VERSION -> unpacked under $work/NAME
  mkdir -p "$work/$1"
  (cd "$work/$1" && npm pack --silent "$1@$2" >/dev/null && tar xzf ./*.tgz --strip-components=1)
}
fetch preact "$preact"; fetch htm "$htm"; fetch @preact/signals "$signals"; fetch @preact/signals-core "$signals_core"
fetch @xterm/xterm "$xterm"; fetch @xterm/addon-fit "$fit"; fetch @xterm/addon-search "$search"; fetch @xterm/addon-web-links "$web_links"
fetch lucide-static "$lucide"; fetch @fontsource-variable/inter "$inter"

mkdir -p "$target"
cp "$work/preact/dist/preact.mjs" "$target/preact.mjs"
cp "$work/preact/hooks/dist/hooks.mjs" "$target/preact-hooks.mjs"
cp "$work/htm/dist/htm.mjs" "$target/htm.mjs"
cp "$work/@preact/signals/dist/signals.mjs" "$target/signals.mjs"
cp "$work/@preact/signals-core/dist/signals-core.mjs" "$target/signals-core.mjs"
cp "$work/@xterm/xterm/lib/xterm.mjs" "$target/xterm.mjs"
cp "$work/@xterm/xterm/css/xterm.css" "$target/xterm.css"
for addon in fit search web-links; do cp "$work/@xterm/addon-$addon/lib/addon-$addon.mjs" "$target/addon-$addon.mjs"; done
sed -i -E 's#(from|import) *"preact/hooks"#\1"./preact-hooks.mjs"#g; s#(from|import) *"preact"#\1"./preact.mjs"#g;
  s#(from|import) *"@preact/signals-core"#\1"./signals-core.mjs"#g; /^\/\/# sourceMappingURL=/d' "$target"/*.mjs

python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet install "fonttools[woff]==$fonttools"
"$work/venv/bin/fonttools" varLib.instancer --quiet "$work/@fontsource-variable/inter/files/inter-latin-wght-normal.woff2" wght=400:600 -o "$work/inter.ttf"
"$work/venv/bin/pyftsubset" "$work/inter.ttf" --unicodes='*' --layout-features=kern,tnum,ccmp,locl --no-hinting --desubroutinize \
  --output-file="$work/inter-cut.ttf"
"$work/venv/bin/python" - "$work/inter-cut.ttf" "$target/inter.woff2" <<'PY'
# Figures of one width are wanted for digits only: with them for the hyphen too, names fall apart.
import sys
from fontTools.ttLib import TTFont
font = TTFont(sys.argv[1])
table = font['GSUB'].table
digits = {'zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'}
for record in table.FeatureList.FeatureRecord:
    if record.FeatureTag == 'tnum':
        for index in record.Feature.LookupListIndex:
            for part in table.LookupList.Lookup[index].SubTable:
                part = getattr(part, 'ExtSubTable', part)
                part.mapping = {glyph: other for glyph, other in part.mapping.items() if glyph in digits}
font.flavor = 'woff2'
font.save(sys.argv[2])
PY

python3 - "$target" "$work/lucide-static/icons" "$icons" "$more_icons" <<'PY'
import re, sys
target, source, first, more = sys.argv[1:]

# xterm.js: 24-bit colours and search marks go through a style attribute; say the same through the object model.
path = target + '/xterm.mjs'
text = open(path).read()
before = '_addStyle(t,e){t.setAttribute("style",`${t.getAttribute("style")||""}${e};`)}'
assert text.count(before) == 1, 'xterm.js changed: look at the patch again'
open(path, 'w').write(text.replace(before, '_addStyle(t,e){t.style.cssText+=`${e};`}'))

# The sprites: one symbol per icon, drawn with the colour of the text around it.
for sheet, names in (('icons', first), ('icons-more', more)):
    symbols = []
    for name in sorted(set(names.split())):
        svg = open(f'{source}/{name}.svg').read()
        inner = re.search(r'<svg[^>]*>(.*)</svg>', svg, re.S).group(1)
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">' + re.sub(r'\s*\n\s*', '', inner).replace(' />', '/>') + '</symbol>')
    open(f'{target}/{sheet}.svg', 'w').write('<svg xmlns="http://www.w3.org/2000/svg">' + ''.join(symbols) + '</svg>\n')
PY

{
  for name in preact htm @preact/signals @preact/signals-core @xterm/xterm @xterm/addon-fit @xterm/addon-search @xterm/addon-web-links lucide-static @fontsource-variable/inter; do
    printf '==== %s ====\n\n' "$name"
    cat "$work/$name/LICENSE"
    printf '\n\n'
  done
} > "$target/LICENSES.txt"

row() { # FILE PACKAGE VERSION LICENCE CHANGES
  printf '| %s | %s | %s | %s | %s | `%s` |\n' "$1" "$2" "$3" "$4" "$5" "$(sha256sum "$target/$1" | cut -d' ' -f1)"
}
{
  printf '# Third-party files of the user interface\n\n'
  printf 'Written by `packaging/vendor-ui.sh`; do not edit. The licences in full are in `LICENSES.txt`. The `.d.mts` files beside\n'
  printf 'them are ours: the types of what we use, for the type check only.\n\n'
  printf '| file | npm package | version | licence | changed | SHA-256 |\n|---|---|---|---|---|---|\n'
  row preact.mjs preact $preact MIT 'no'
  row preact-hooks.mjs preact $preact MIT 'import paths'
  row htm.mjs htm $htm Apache-2.0 'no'
  row signals.mjs @preact/signals $signals MIT 'import paths'
  row signals-core.mjs @preact/signals-core $signals_core MIT 'no'
  row xterm.mjs @xterm/xterm $xterm MIT 'one line, see the script'
  row xterm.css @xterm/xterm $xterm MIT 'no'
  row addon-fit.mjs @xterm/addon-fit $fit MIT 'no'
  row addon-search.mjs @xterm/addon-search $search MIT 'no'
  row addon-web-links.mjs @xterm/addon-web-links $web_links MIT 'no'
  row icons.svg lucide-static $lucide 'ISC, MIT' 'cut to the icons in use'
  row icons-more.svg lucide-static $lucide 'ISC, MIT' 'cut to the icons in use'
  row inter.woff2 @fontsource-variable/inter $inter OFL-1.1 'cut to weights 400 to 600'
} > "$target/VENDOR.md"
ls -l "$target"
