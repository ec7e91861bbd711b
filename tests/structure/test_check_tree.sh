#!/bin/sh
# The checker on a small tree of its own: it accepts what is right and names each wrong line.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
licence='// SPDX-License-Identifier: Apache-2.0'

# add FILE LINE...: a file of the tree, the lines below its licence line.
add() {
    file=$tree/$1
    shift
    mkdir -p "$(dirname "$file")"
    { echo "$licence"; printf '%s\n' "$@"; } >"$file"
}

add runtime/base/arena.h '#include <stdlib.h>'
add ir/graph.c '#include "ir/graph.h"' '#include "runtime/base/arena.h"' '#include <string.h>'
add compiler/codegen/lower.c '#include <llvm-c/Core.h>' '#include "runtime/abi.h"' \
    '#include "compiler/schedule/order.h"'
add compiler/frontend/onnx_reader.c '#include "onnx.pb-c.h"'
add tools/retort.c '#include "compiler/compiler.h"' '#include "runtime/program.h"'
sh "$here/check_tree.sh" "$here/folders.table" "$tree"

add ir/eval.c '#include "passes/pass.h"' '#  include "../runtime/abi.h"'
add runtime/program.c '' '#include "compiler/codegen/lower.h"' '#include <llvm-c/Core.h>'
add compiler/frontend/onnx_import.c '#include "onnx.pb-c.h"' '#include "runtime/instance.h"'
add extra/new.c '#include "ir/graph.h"'
add ir/mark.c "// TO""DO later" '#if 0'
add passes/cost.c 'switch (op) {' 'case RT_OP_add: return 1;' '}'
printf 'int x;\n' >"$tree/ir/bare.c"
add ir/long.c 'int x;'
yes 'int x;' | head -n 799 >>"$tree/ir/long.c"

cat >"$tree/want" <<'END'
compiler/frontend/onnx_import.c:2: error: only compiler/frontend/onnx_reader.c compiler/frontend/onnx_writer.c may include onnx.pb-c.h
compiler/frontend/onnx_import.c:3: error: compiler may not include runtime/instance.h
extra/new.c:2: error: the folder of this file has no row in the table
ir/bare.c:1: error: the first line must be // SPDX-License-Identifier: Apache-2.0
ir/eval.c:2: error: ir may not include passes/pass.h
ir/eval.c:3: error: ir may not include ../runtime/abi.h
ir/long.c:801: error: a file has at most 800 lines; split it by family
END
{
    echo "ir/mark.c:2: error: finish it or leave it out: // TO""DO later"
    echo "ir/mark.c:3: error: finish it or leave it out: #if 0"
    echo "passes/cost.c:3: error: operators are told apart by rows of ir/ops.def and by tables over" \
        "them, not by switch"
    echo "runtime/program.c:3: error: runtime may not include compiler/codegen/lower.h"
    echo "runtime/program.c:4: error: only compiler/codegen compiler/kernels compiler/target tests may include llvm-c/Core.h"
} >>"$tree/want"
if sh "$here/check_tree.sh" "$here/folders.table" "$tree" >"$tree/got"; then
    echo "the wrong tree was accepted"
    exit 1
fi
diff "$tree/want" "$tree/got"
